// How the page asks the server: one question of a kind at a time, the newest next, and whatever is wrong is said in a sentence.
const busy = new Map();
const waiting = new Map();

export function say(sentence) {
  const notice = document.querySelector("#notice");
  notice.hidden = !sentence;
  notice.firstElementChild.textContent = sentence;
}

// Ask a model; a file is sent as it is, and what else there is beside it
export async function ask(number, what, body, beside = {}) {
  const began = performance.now();
  const isFile = body instanceof File;
  const query = isFile ? `?${new URLSearchParams({ name: body.name, ...beside })}` : "";
  let response;
  try {
    response = await fetch(`models/${number}/${what}${query}`, { method: "POST", body: isFile ? body : JSON.stringify(body) });
  } catch {
    throw new Error("the server does not answer; has the command ended?");
  }
  if (!response.ok) throw new Error((await response.json()).sentence);
  const answer = response.headers.get("content-type").includes("json") ? await response.json() : await response.blob();
  document.querySelector("#took").textContent = `${Math.round(performance.now() - began)} ms`;
  return answer;
}

// Work of a kind, after what is under way; of what waits only the newest is done
export function latest(kind, work) {
  if (busy.has(kind)) {
    waiting.get(kind)?.done();
    return new Promise((done) => waiting.set(kind, { work, done }));
  }
  busy.set(kind, true);
  document.body.dataset.busy = busy.size;
  const end = () => {
    busy.delete(kind);
    document.body.dataset.busy = busy.size;
    const next = waiting.get(kind);
    waiting.delete(kind);
    if (next) latest(kind, next.work).then(next.done);
  };
  return work()
    .then(() => say(""))
    .catch((error) => say(error.message))
    .finally(end);
}
