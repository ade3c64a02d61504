// What htmx does not do: a key for every request, words that light up, keys on the keyboard, files that are dropped.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// The key lives as long as the tab, and goes with requests as a header, never in an address.
const headers = () => {
  const key = sessionStorage.getItem("key");
  return key ? { Authorization: `Bearer ${key}` } : {};
};
document.addEventListener("htmx:config:request", (event) => Object.assign(event.detail.ctx.request.headers, headers()));

const say = (text) => {
  const error = $("#error");
  error.textContent = text;
  error.hidden = !text;
};
document.addEventListener("htmx:before:response", (event) => {
  const { ctx } = event.detail;
  if (ctx.response.status === 401 || ctx.response.status === 403) {
    event.preventDefault();
    sessionStorage.removeItem("key");
    $("#sign-in").hidden = false;
    $("#main").hidden = true;
    $("#key").focus();
  } else if (ctx.response.status >= 400) {
    event.preventDefault();
    ctx.response.raw.json().then((problem) => say(problem.hint || problem.detail), () => say($("#error").textContent));
  } else {
    say("");
    // The address follows the question, without a page of history for each letter.
    const place = ctx.response.headers.get("hx-replace-url");
    if (place) history.replaceState(null, "", place);
  }
});
$("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("#key").value.trim());
  location.reload();
});

// A word of the question that is pointed at, or focused, lights up wherever it was found.
const light = (number, on) => {
  const same = (each) => each.split(" ").includes(number);
  for (const each of $$("[data-word], [data-words]")) {
    if (same(each.dataset.word ?? each.dataset.words)) each.classList.toggle("lit", on);
  }
};
const words = (target) => {
  const found = target.closest?.("[data-word], [data-words]");
  return found ? (found.dataset.word ?? found.dataset.words).split(" ") : [];
};
for (const [type, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) {
  document.addEventListener(type, (event) => words(event.target).forEach((number) => light(number, on)));
}

// Keyboard first: "/" asks, arrows walk through hits.
document.addEventListener("keydown", (event) => {
  const query = $("#q");
  const typing = event.target.matches?.("input, select, textarea");
  if (event.key === "/" && !typing && query) {
    event.preventDefault();
    query.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const links = $$(".hits h2 a");
    const at = links.indexOf(document.activeElement);
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (!links.length || (typing && event.target !== query)) return;
    event.preventDefault();
    (next < 0 ? query : links[Math.min(next, links.length - 1)]).focus();
  }
});

// Another collection has other facets: its form is another.
document.addEventListener("change", (event) => {
  if (event.target.id === "collection") {
    const address = new URL("/", location.href);
    address.searchParams.set("c", event.target.value);
    if ($("#q").value) address.searchParams.set("q", $("#q").value);
    location.assign(address);
  } else if (event.target.id === "interface") {
    document.cookie = `ui=${event.target.value}; path=/; max-age=31536000; samesite=strict`;
    location.reload();
  } else if (event.target.type === "file") {
    send(event.target.closest(".drop"), event.target.files);
  }
});
document.addEventListener("submit", (event) => {
  if (event.target.id === "search") event.preventDefault();
  if (event.target.id === "new") {
    event.preventDefault();
    create(event.target.elements.name.value);
  }
});

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
$("#theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = getComputedStyle(root).getPropertyValue("--paper").trim() === "#121615";
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

const create = async (name) => {
  const response = await fetch("/v1/collections", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers() },
    body: JSON.stringify({ name }),
  });
  if (response.ok) location.reload();
  else say((await response.json()).hint);
};

// Each file is read by the server; what became of it stands in the list.
const send = async (drop, files) => {
  const { collection, stored, failed } = drop.dataset;
  let job = null;
  for (const file of files) {
    const line = document.createElement("li");
    const outcome = document.createElement("span");
    line.append(Object.assign(document.createElement("span"), { textContent: file.name, dir: "auto" }), outcome);
    $(".sent", drop).append(line);
    const place = `/v1/collections/${encodeURIComponent(collection)}/files?path=${encodeURIComponent(file.name)}`;
    const response = await fetch(place, { method: "POST", headers: { "content-type": "application/octet-stream", ...headers() }, body: file });
    const answer = await response.json();
    const why = answer.items?.find((item) => item.error)?.error.code ?? answer.code;
    outcome.textContent = why ? `${failed}: ${why}` : stored;
    outcome.className = why ? "failed" : "done";
    job = answer.job ?? job;
  }
  if (job) {
    const place = $(".job", drop);
    place.setAttribute("hx-get", `/ui/parts/jobs/${job}`);
    place.setAttribute("hx-trigger", "load");
    htmx.process(place);
  }
};
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    const drop = event.target.closest?.(".drop");
    event.preventDefault();
    if (!drop) return;
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") send(drop, event.dataTransfer.files);
  });
}

// What was found may lie far down: go there when the document has come.
document.addEventListener("htmx:after:swap", () => {
  const found = location.hash && document.getElementById(location.hash.slice(1));
  if (found) found.scrollIntoView({ block: "center" });
});
