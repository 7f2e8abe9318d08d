// What the page does: it keeps, for each model, the latent that is looked at, and asks the server for pictures.
import { ask, latest, say } from "./ask.js";
import { buildConditions, buildEdits } from "./controls.js";
import { plane } from "./plane.js";

const $ = (selector, within = document) => within.querySelector(selector);
const state = { asked: {}, codes: {}, amounts: {}, seed: 0, place: 0 };
let models = [];

class Model {
  constructor(number, about) {
    Object.assign(this, { number, about, ends: {} });
    this.view = $("#model").content.firstElementChild.cloneNode(true);
    $("h2", this.view).textContent = about.name;
    $("code", this.view).textContent = about.command ?? "";
    const hint = "Whoever is given this can make the same sample again.";
    $(".hint", this.view).textContent = about.command ? `${hint} As a file, on the command line:` : hint;
    if (about.points) this.plane = plane($("canvas", this.view), about, (number) => choose(number));
    $("canvas", this.view).hidden = !about.points;
    $(".made", this.view).hidden = $(".way", this.view).hidden = about.points;
    for (const button of this.view.querySelectorAll("[data-do]")) {
      button.onclick = () => latest("text", () => this.withText(button.dataset.do));
    }
    this.view.classList.toggle("coarse", about.side < 32);
    this.view.classList.toggle("points", about.points);
    $("#columns").append(this.view);
  }

  ask = (what, body, beside) => ask(this.number, what, body, beside);

  // What is asked for, and for the rest what the sample has had so far
  condition = (of = this.one) => ({ ...of?.condition, ...state.asked });

  // Take over an answer; what is looked at from now on unless it is only changed
  take(answer, changed = false) {
    this.one = answer;
    if (!changed) this.base = answer;
    if (!changed && !answer.own) $(".own", this.view).hidden = true;
    if (answer.own && answer.own.image) {
      Object.assign($(".own", this.view), { src: answer.own.image, hidden: false });
    }
    if (this.plane) this.plane.show({ one: answer.point, own: answer.own?.point ?? (changed ? undefined : null) });
    else $(".made", this.view).src = answer.image;
    const numbers = answer.point ? ` (${answer.point.map((n) => n.toPrecision(3)).join(", ")})` : "";
    const sides = $(".own", this.view).hidden ? "" : " — left the image, cut and scaled as the data are; right made of its code";
    $(".one figcaption", this.view).textContent = answer.said + numbers + sides + under(answer.condition, this.about);
    $("details textarea", this.view).value = answer.text;
  }

  async draw() {
    const answer = await this.ask("draw", { seed: state.seed, condition: state.asked });
    if (this.plane) this.plane.show({ points: answer.points });
    else tiles($(".samples .grid", this.view), answer, (number) => choose(number), "sample");
    const drawn = `${this.about.count} ${this.about.samples} of seed ${state.seed}`;
    const legend = "circles: true centres; black: this one; pink: your point; green: the way from A to B";
    $(".samples figcaption", this.view).textContent = this.plane ? `${drawn}; ${legend}` : drawn;
  }

  async way() {
    const { a, b } = this.ends;
    if (!a || !b) return;
    const answer = await this.ask("way", { a: a.latent, b: b.latent, condition: this.condition(a) });
    if (this.plane) this.plane.show({ way: answer.points });
    else tiles($(".way .grid", this.view), answer, (number) => walk(10 * number), "place");
  }

  async withText(what) {
    const text = $("details textarea", this.view).value;
    if (what === "copy") await navigator.clipboard.writeText(text);
    if (what === "json") save(new Blob([text], { type: "application/json" }), "latent.json");
    if (what === "npz") save(await this.ask("npz", { text }), "latent.npz");
    if (what === "read") this.take(await this.ask("read", { text }));
  }
}

function under(condition, about) {
  if (condition.captions !== undefined) return ` — “${condition.captions}”`;
  if (condition.labels !== undefined) return ` — label ${about.conditions.labels[condition.labels]}`;
  return "";
}

// A sheet of pictures as buttons, each with its part of the sheet
function tiles(grid, { image, across, rows, count }, onclick, name) {
  grid.style.gridTemplateColumns = `repeat(${across}, 1fr)`;
  while (grid.children.length > count) grid.lastChild.remove();
  for (let number = 0; number < count; number++) {
    const button = grid.children[number] ?? grid.appendChild(document.createElement("button"));
    const [x, y] = [number % across, Math.floor(number / across)];
    button.type = "button";
    button.ariaLabel = `${name} ${number}`;
    button.onclick = () => onclick(number);
    button.style.backgroundImage = `url(${image})`;
    button.style.backgroundSize = `${across * 100}% ${rows * 100}%`;
    button.style.backgroundPosition = `${(100 * x) / Math.max(1, across - 1)}% ${(100 * y) / Math.max(1, rows - 1)}%`;
  }
}

function mark(which, number) {
  for (const grid of document.querySelectorAll(".grid")) {
    const chosen = grid.closest("figure").classList.contains(which) ? number : -1;
    [...grid.children].forEach((button, place) => button.classList.toggle("chosen", place === chosen));
  }
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

// Each asks all models; one that refuses does not keep the others from their answers
async function all(work) {
  const results = await Promise.allSettled(models.map(work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

// A new sample is looked at: changes begin anew, and sliders stand where its codes are
async function look(work) {
  await all(async (model) => model.take(await work(model)));
  Object.assign(state, { codes: {}, amounts: {} });
  edits.set(models.map((model) => model.one.codes));
}

const draw = () => latest("draw", () => all((model) => model.draw()));
const ways = () => latest("way", () => all((model) => model.way()));

function choose(number) {
  mark("samples", number);
  return latest("one", () => look((model) => model.ask("choose", { seed: state.seed, number, condition: state.asked })));
}

function change() {
  return latest("one", () =>
    all(async (model) => {
      const { latent, said } = model.base;
      const body = { latent, said, condition: model.condition(), codes: state.codes, attributes: state.amounts };
      model.take(await model.ask("show", body), true);
    }),
  );
}

function walk(place) {
  state.place = place;
  $("#place").value = place;
  mark("way", place / 10);
  return latest("one", () =>
    look((model) => {
      const { a, b } = model.ends;
      return model.ask("walk", { a: a.latent, b: b.latent, place, condition: model.condition(a) });
    }),
  );
}

function setEnd(end) {
  for (const model of models) model.ends[end] = { latent: model.one.latent, condition: model.one.condition };
  state.place = end === "a" ? 0 : 100;
  $("#place").value = state.place;
  return ways();
}

// A file, or a point
function encode(own) {
  return latest("one", async () => {
    await all(async (model) => {
      if (!model.about.encodes) return;
      const condition = model.condition();
      const isFile = own instanceof File;
      const asking = isFile
        ? model.ask("own", own, { condition: JSON.stringify(condition) })
        : model.ask("own_point", { ...own, condition });
      model.take(await asking);
    });
    Object.assign(state, { codes: {}, amounts: {} });
    edits.set(models.map((model) => model.one.codes));
    mark("none", 0);
  });
}

let edits;
let playing = 0;

function play() {
  const button = $("#play");
  button.ariaPressed = String(!playing);
  if (playing) return void (playing = clearInterval(playing) ?? 0);
  let step = state.place >= 100 ? -2 : 2;
  playing = setInterval(() => {
    if (document.body.dataset.busy !== "0") return;
    if (state.place + step > 100 || state.place + step < 0) step = -step;
    walk(state.place + step);
  }, 60);
}

async function asked(condition) {
  state.asked = condition;
  await Promise.all([draw(), models[0].one && Object.keys(condition).length ? change().then(ways) : undefined]);
}

function listen() {
  $("#draw").onclick = () => {
    $("#seed").value = state.seed = (state.seed + 1) % 2 ** 31;
    mark("none", 0);
    draw();
  };
  $("#seed").onchange = (event) => {
    state.seed = Number(event.target.value);
    mark("none", 0);
    draw();
  };
  for (const button of document.querySelectorAll("[data-end]")) button.onclick = () => setEnd(button.dataset.end);
  $("#place").oninput = (event) => walk(Number(event.target.value));
  $("#play").onclick = play;
  $("#reset").onclick = () => {
    Object.assign(state, { codes: {}, amounts: {} });
    edits.set(models.map((model) => model.base.codes));
    change();
  };
  $("#notice button").onclick = () => say("");
  const drop = $("#drop");
  $("input", drop).onchange = (event) => {
    if (event.target.files[0]) encode(event.target.files[0]);
    event.target.value = "";
  };
  drop.onkeydown = (event) => event.key === "Enter" && $("input", drop).click();
  // A file that misses its place would else take the place of the page
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.toggle("over", name === "dragover"));
  }
  document.addEventListener("drop", (event) => {
    const file = event.dataTransfer.files[0];
    if (file && !$("#own").hidden) encode(file);
  });
  const [x, y] = document.querySelectorAll("#point input");
  $("#point button").onclick = () => encode({ x: Number(x.value), y: Number(y.value) });
}

async function begin() {
  const abouts = await (await fetch("models")).json();
  $("#columns").style.setProperty("--models", abouts.length);
  $("#columns").classList.toggle("several", abouts.length > 1);
  $("#models").textContent = abouts.map((about) => about.name).join("  ·  ");
  models = abouts.map((about, number) => new Model(number, about));
  const encodes = abouts.some((about) => about.encodes);
  $("#own").hidden = !encodes;
  $("#drop").hidden = abouts[0].points;
  $("#point").hidden = !abouts[0].points;
  buildConditions(abouts, asked);
  edits = buildEdits(abouts, state, change);
  listen();
  await draw();
  await choose(1);
  await setEnd("b");
  await choose(0);
  await setEnd("a");
}

begin();
