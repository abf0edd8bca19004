/* Everything a page does by itself: keys, dialogs, live regions that re-read themselves without moving under the pointer. */
"use strict";
(function () {
  const EVERY_MS = 60000;
  const held = new Map();

  function typing(target) {
    return target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  /* dialogs */
  document.addEventListener("click", function (event) {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
  });

  /* keys */
  function rows() {
    return Array.from(document.querySelectorAll("[data-list] [data-row]"));
  }

  function step(by) {
    const all = rows();
    if (all.length === 0) return;
    const at = all.findIndex((row) => row.classList.contains("picked"));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    all.forEach((row) => row.classList.toggle("picked", row === next));
    next.querySelector("[data-open]").focus();
  }

  function acknowledge() {
    const scope = document.querySelector("[data-row].picked") || document;
    const button = scope.querySelector("[data-ack]");
    if (button && (scope !== document || document.querySelector("[data-single]"))) button.click();
  }

  const KEYS = {
    "/": () => {
      const field = document.getElementById("find");
      if (field) field.focus();
    },
    "?": () => document.getElementById("help").showModal(),
    j: () => step(1),
    k: () => step(-1),
    a: acknowledge,
  };

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
    if (document.querySelector("dialog[open]") || !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  /* forms: a second press of a button does nothing while the first is under way */
  document.addEventListener("submit", function (event) {
    if (event.target.dataset.sent) event.preventDefault();
    if (event.target.method === "post") event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });

  document.querySelectorAll("[data-print]").forEach(function (button) {
    button.addEventListener("click", () => window.print());
  });
  document.querySelectorAll("select[data-submits], input[data-submits]").forEach(function (field) {
    field.addEventListener("change", () => field.form.requestSubmit());
  });

  /* live regions */
  if (!window.htmx || !document.body.dataset.live) return;

  function reread(topic) {
    document.querySelectorAll("[data-topic]").forEach(function (region) {
      if (topic === null || region.dataset.topic.split(" ").includes(topic)) window.htmx.trigger(region, "reread");
    });
  }

  function revisions(region) {
    const found = Array.from(region.querySelectorAll("[data-key]"));
    return new Map(found.map((each) => [each.dataset.key, each.dataset.rev]));
  }

  function countChanges(before, after) {
    let changed = 0;
    after.forEach((rev, key) => (changed += before.get(key) === rev ? 0 : 1));
    before.forEach((_, key) => (changed += after.has(key) ? 0 : 1));
    return changed;
  }

  function isBusy(region) {
    return region.matches(":hover") || region.contains(document.activeElement);
  }

  function offer(region, count) {
    let bar = region.querySelector(":scope > .fresh");
    if (!bar) {
      bar = document.createElement("button");
      bar.type = "button";
      bar.className = "fresh";
      bar.addEventListener("click", () => release(region.id));
      region.prepend(bar);
    }
    bar.textContent = document.body.dataset.fresh.replace("{n}", count);
  }

  function release(id) {
    const fresh = held.get(id);
    const region = document.getElementById(id);
    held.delete(id);
    if (!fresh || !region) return;
    region.replaceWith(fresh);
    window.htmx.process(fresh);
  }

  document.addEventListener("htmx:beforeSwap", function (event) {
    const region = event.detail.target;
    const asked = event.detail.requestConfig.triggeringEvent;
    if (!region.dataset.topic || !asked || asked.type !== "reread") return;
    const page = new DOMParser().parseFromString(event.detail.serverResponse, "text/html");
    const fresh = page.getElementById(region.id);
    if (!fresh || event.detail.xhr.status >= 400) {
      event.detail.shouldSwap = false;
      return;
    }
    if (!isBusy(region)) {
      held.delete(region.id);
      return;
    }
    event.detail.shouldSwap = false;
    const count = countChanges(revisions(region), revisions(fresh));
    if (count === 0) return;
    held.set(region.id, document.adoptNode(fresh));
    offer(region, count);
  });

  document.addEventListener("pointerout", function (event) {
    const region = event.target.closest("[data-topic]");
    if (region && held.has(region.id) && !region.contains(event.relatedTarget)) {
      setTimeout(() => isBusy(region) || release(region.id), 800);
    }
  });

  document.addEventListener("htmx:configRequest", function (event) {
    const csrf = document.querySelector("meta[name=csrf]");
    if (csrf) event.detail.headers["X-CSRF-Token"] = csrf.content;
    /* empty filters stay out of the address */
    if (event.detail.elt.matches("[data-filters]")) {
      Array.from(event.detail.formData.entries()).forEach(([name, value]) => value || event.detail.formData.delete(name));
    }
  });

  setInterval(() => document.hidden || reread(null), EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || reread(null));

  const stream = new EventSource(document.body.dataset.live);
  stream.addEventListener("changed", (event) => document.hidden || reread(event.data));
  window.addEventListener("pagehide", () => stream.close());
})();
