// The page of the emulator. It asks for the counts once a second while it is visible, and for
// messages on demand.
const $ = (id) => document.getElementById(id);
const state = { path: "", source: "", last: 0, kind: "", shown: "" };

async function ask(path, command) {
  const options = command === undefined ? {} :
    {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(command),
    };
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(await response.text());
  return response.status === 204 ? null : response.json();
}

// attempt shows what a command did, or why it was refused.
async function attempt(what, f) {
  try {
    const answer = await f();
    $("notice").textContent =
      `${what}: ${answer ? Object.entries(answer).map((p) => p.join(" ")).join(", ") : "done"}`;
    await Promise.all([refresh(), show()]);
  } catch (e) {
    $("notice").textContent = `${what}: ${e.message}`;
  }
}

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function row(entity) {
  const tr = element("tr", undefined, entity.kind + (entity.path === state.path ? " chosen" : ""));
  const name = element("td");
  const button = element("button",
    entity.kind === "subscription" ? entity.path.split("/").pop() : entity.path);
  button.type = "button";
  button.title = `${entity.kind} ${entity.path}`;
  button.addEventListener("click", () => choose(entity));
  name.append(button);
  tr.append(name, element("td", entity.status + (entity.sessions ? ", sessions" : "")));
  const counts = entity.counts;
  const numbers = entity.kind === "topic" ? ["", counts.Scheduled, "", ""] :
    [counts.Active, counts.Scheduled, counts.DeadLetter, counts.TransferDeadLetter];
  numbers.forEach((n, i) => tr.append(element("td", n, i > 1 && n > 0 ? "count dead" : "count")));
  return tr;
}

async function refresh() {
  const all = await ask("/$emulator/entities");
  const shown = JSON.stringify([all, state.path]);
  if (shown === state.shown) return; // keeps the focus
  state.shown = shown;
  $("namespace").textContent = `${all.namespace}, ${all.connections} connections`;
  $("none").hidden = all.entities.length > 0;
  const focused = document.activeElement?.title;
  $("entities").tBodies[0].replaceChildren(...all.entities.map(row));
  const buttons = [...document.querySelectorAll("td button")];
  if (focused) buttons.find((b) => b.title === focused)?.focus();
}

function choose(entity) {
  Object.assign(state, { path: entity.path, kind: entity.kind });
  $("detail").hidden = false;
  $("path").textContent = entity.path;
  const suffixes = entity.kind === "topic"
    ? []
    : ["", "/$DeadLetterQueue", "/$Transfer/$DeadLetterQueue"];
  const names = ["the entity", "its dead letters", "its transfer dead letters"];
  $("source").replaceChildren(...suffixes.map((s, i) => new Option(names[i], entity.path + s)));
  $("source").disabled = suffixes.length === 0;
  attemptQuietly(show);
  attemptQuietly(refresh);
}

async function attemptQuietly(f) {
  try {
    await f();
  } catch (e) {
    $("notice").textContent = e.message;
  }
}

// show peeks the first messages of the chosen source.
async function show() {
  state.source = $("source").value;
  state.last = 0;
  $("messages").replaceChildren();
  const dead = state.source.endsWith("$DeadLetterQueue");
  $("resubmit").hidden = !dead;
  $("purge").hidden = !state.source;
  $("send").hidden = state.kind === "subscription";
  await more();
}

async function more() {
  if (!state.source) {
    $("more").hidden = true;
    return;
  }
  const query = new URLSearchParams({ path: state.source, from: state.last + 1, count: 20 });
  const found = await ask(`/$emulator/messages?${query}`);
  $("more").hidden = found.length < 20;
  for (const m of found) {
    state.last = m.sequenceNumber;
    $("messages").append(card(m));
  }
}

// pretty indents a body that is JSON.
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function card(m) {
  const article = element("article");
  const title = element("h3");
  title.append(element("span", `${m.sequenceNumber}  ${m.brokerProperties.MessageId ?? ""}`),
    element("small", `${m.state}, ${m.size} bytes`));
  const source = state.source;
  if (source.endsWith("$DeadLetterQueue")) {
    const again = element("button", "Resubmit");
    again.type = "button";
    again.addEventListener("click", () => attempt("resubmit",
      () => ask("/$emulator/resubmit", { path: source, sequenceNumbers: [m.sequenceNumber] })));
    title.append(again);
  }
  const list = element("dl");
  const pairs = [...Object.entries(m.properties), ...Object.entries(m.brokerProperties)];
  for (const [name, value] of pairs) {
    list.append(element("dt", name), element("dd", String(value)));
  }
  const body = m.base64 ? `base64: ${m.body}` : pretty(m.body);
  article.append(title, list, element("pre", body + (m.cut ? "…" : "")));
  return article;
}

$("source").addEventListener("change", () => attemptQuietly(show));
$("more").addEventListener("click", () => attemptQuietly(more));
$("purge").addEventListener("click", () => {
  const path = state.source;
  if (confirm(`Remove all messages of ${path}?`))
    attempt("purge", () => ask("/$emulator/purge", { path }));
});
$("resubmit").addEventListener("click", () =>
  attempt("resubmit", () => ask("/$emulator/resubmit", { path: state.source })));
$("reset").addEventListener("click", () => {
  if (confirm("Remove all messages of all entities?")) attempt("reset", () => ask("/reset", {}));
});
$("send").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt("send", async () => {
    const text = $("properties").value.trim();
    const broker = { Label: $("subject").value };
    if ($("session").value) broker.SessionId = $("session").value;
    return ask("/$emulator/send", {
      path: state.path, body: $("body").value, contentType: $("content-type").value,
      properties: text ? JSON.parse(text) : {}, brokerProperties: broker });
  });
});

async function live() {
  if (!document.hidden) await attemptQuietly(refresh);
  setTimeout(live, 1000);
}
live();
