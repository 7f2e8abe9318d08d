// What is asked for (labels, captions, attributes), and what is changed (codes, directions of attributes).
import { ask, latest } from "./ask.js";

const $ = (selector, within = document) => within.querySelector(selector);
const make = (name, settings = {}) => Object.assign(document.createElement(name), settings);

export function buildConditions(abouts, asked) {
  const kinds = Object.assign({}, ...abouts.map((about) => about.conditions).reverse());
  const condition = {};
  $("#conditions").hidden = !Object.keys(kinds).length;
  if (kinds.labels) {
    const select = $("#labels select");
    select.append(make("option", { value: "", textContent: "those of test images" }));
    kinds.labels.forEach((name, number) => select.append(make("option", { value: number, textContent: name })));
    select.onchange = () => {
      delete condition.labels;
      if (select.value !== "") condition.labels = Number(select.value);
      asked({ ...condition });
    };
    $("#labels").hidden = false;
  }
  if (kinds.captions) {
    const text = $("#captions textarea");
    const send = () => asked({ ...Object.assign(condition, { captions: text.value }) });
    $("#caption").onclick = send;
    text.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      send();
    };
    $("#theirs").onclick = () => {
      delete condition.captions;
      asked({ ...condition });
    };
    $("#captions").hidden = false;
  }
  if (kinds.attributes) {
    const chips = $("#attributes-asked .chips");
    const boxes = kinds.attributes.map((name) => {
      const box = make("input", { type: "checkbox" });
      chips.append(make("label", {}));
      chips.lastChild.append(box, ` ${name.replaceAll("_", " ")}`);
      return box;
    });
    const send = () => asked({ ...Object.assign(condition, { attributes: boxes.map((box) => Number(box.checked)) }) });
    for (const box of boxes) box.onchange = send;
    $("#attributes-asked").hidden = false;
  }
}

// Gives what puts the sliders where the codes of a sample are
export function buildEdits(abouts, state, change) {
  const sliders = new Map();
  for (const about of abouts) {
    for (const code of about.codes) {
      if (sliders.has(code.name)) continue;
      const send = (value) => {
        state.codes[code.name] = value;
        change();
      };
      sliders.set(code.name, code.classes ? choices(code, send) : slider(code.name, code.low, code.high, "#codes", send));
    }
  }
  const amounts = [];
  $("#learn").hidden = !abouts.some((about) => about.attributes);
  $("#learn").onclick = () => latest("learn", () => learn(abouts, amounts, state, change));
  $("#edit").hidden = !sliders.size && $("#learn").hidden;
  return {
    set(codes) {
      for (const [name, put] of sliders) put(codes.find((of) => name in of)?.[name] ?? 0);
      for (const put of amounts) put(0);
    },
  };
}

async function learn(abouts, amounts, state, change) {
  const button = $("#learn");
  button.textContent = "Taking the mean codes of training images …";
  button.disabled = true;
  try {
    const learnt = abouts.map((about, number) => (about.attributes ? ask(number, "attributes", {}) : []));
    for (const name of new Set((await Promise.all(learnt)).flat())) {
      const send = (value) => {
        state.amounts[name] = value;
        change();
      };
      amounts.push(slider(name.replaceAll("_", " "), -2, 2, "#vectors", send));
    }
    amounts.forEach((put) => put(0));
    button.hidden = true;
  } finally {
    button.textContent = "Learn directions of attributes";
    button.disabled = false;
  }
}

function slider(name, low, high, where, send) {
  const line = make("label", { className: "slider", textContent: name });
  const value = make("output");
  const range = make("input", { type: "range", min: low, max: high, step: (high - low) / 100 });
  const put = (number) => {
    range.value = number;
    value.textContent = Number(number).toFixed(2);
  };
  range.oninput = () => {
    value.textContent = Number(range.value).toFixed(2);
    send(Number(range.value));
  };
  line.append(value, range);
  $(where).append(line);
  return put;
}

function choices(code, send) {
  const line = make("div", { className: "slider", textContent: code.name });
  const row = make("div", { className: "choices" });
  const buttons = Array.from({ length: code.classes }, (_, number) => make("button", { type: "button", textContent: number }));
  const put = (chosen) => buttons.forEach((button, number) => (button.ariaPressed = String(number === chosen)));
  buttons.forEach((button, number) => {
    button.onclick = () => {
      put(number);
      send(number);
    };
  });
  row.append(...buttons);
  line.append(row);
  $("#codes").append(line);
  return put;
}
