// The console with a little of its own: live pages, and the keyboard. Without it every page works as it is.
"use strict";
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const help = document.getElementById("help");
  const away = document.getElementById("away");
  if (!live) return;
  const told = main.querySelector(".said");
  if (told) told.focus({ preventScroll: true }); // it is read aloud, and stays in view where a link leads further down

  // Live: the server sends the page when it has changed, and its parts are exchanged; the newest is kept while somebody is
  // about something. No stream is open while the tab is hidden: another is begun, with the page as it is, when it is seen.
  let source = null, again = 0, failed = 0, kept = null, on = true, seen = new Date();
  const seconds = () => Number(main.dataset.live || 0);

  function busy() {
    const at = document.activeElement;
    return (at && main.contains(at) && at.matches("input, select, textarea, summary, button"))
      || main.querySelector(".actions details[open]") || help.open || String(getSelection());
  }
  function say() {
    live.hidden = !seconds();
    live.classList.toggle("still", !on || failed > 0);
    live.textContent = !on ? "standing still" : failed ? "out of reach, trying again" : "live";
    // One failure is a stream that ended by its time: the next try, seconds later, tells.
    const gone = Boolean(on && seconds() && failed > 1);
    document.body.classList.toggle("away", gone);
    if (gone === !away.hidden) return;
    away.hidden = !gone;
    away.textContent = gone ? `No news from Turnout: this page is as it was at ${seen.toLocaleTimeString()}. Trying again.` : "";
  }
  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }
  function open() {
    close();
    say();
    if (!on || !seconds() || document.hidden) return;
    source = new EventSource(location.href);
    source.addEventListener("open", () => { failed = 0; say(); });
    source.addEventListener("message", (event) => {
      kept = new DOMParser().parseFromString(event.data, "text/html").getElementById("main");
      if (!kept.dataset.live) close();
      apply();
    });
    source.addEventListener("reload", () => location.reload());
    source.addEventListener("error", () => {
      if (!failed) seen = new Date();
      failed += 1;
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 1000 * Math.min(5 * failed, 60));
      say();
    });
  }
  function apply() {
    if (!kept || !on || busy()) return;
    exchange(kept);
    kept = null;
    say();
  }
  function exchange(fresh) {
    const focused = rows().indexOf(document.activeElement), open = [...main.querySelectorAll("details")].map((one) => one.open);
    const tiles = [...main.querySelectorAll(".tiles dd")].map((one) => one.textContent), said = main.querySelector(".said");
    const scrolled = [...main.querySelectorAll(".scroll, pre")].map((one) => one.scrollLeft);
    const marked = new Set([...main.querySelectorAll(".rows input:checked")].map((one) => one.value));
    if (said) fresh.prepend(said);
    main.replaceChildren(...fresh.childNodes);
    if (fresh.dataset.live) main.dataset.live = fresh.dataset.live; else delete main.dataset.live;
    main.querySelectorAll("details").forEach((one, index) => { if (open.length > index) one.open = open[index]; });
    main.querySelectorAll(".scroll, pre").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
    main.querySelectorAll(".rows input").forEach((one) => { one.checked = marked.has(one.value); });
    main.querySelectorAll(".tiles dd").forEach((one, index) => {
      if (tiles[index] !== undefined && tiles[index] !== one.textContent) one.classList.add("changed");
    });
    if (focused >= 0 && rows()[focused]) rows()[focused].focus({ preventScroll: true });
  }
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });

  // How long ago a moment was counts on here, by the server's clock: the server sends nothing where only that changed.
  const ahead = Date.now() - Date.parse(document.documentElement.dataset.now);
  function ago(moment) {
    const past = (Date.now() - ahead - Date.parse(moment)) / 1000, far = Math.abs(past);
    const [unit, length] = [["d", 86400], ["h", 3600], ["min", 60]].find(([, length]) => far >= 2 * length) || ["s", 1];
    const number = `${(far / length).toFixed(0)} ${unit}`;
    return past >= 0 ? `${number} ago` : `in ${number}`;
  }
  setInterval(() => {
    if (document.hidden) return;
    apply();
    if (String(getSelection())) return;
    for (const time of main.querySelectorAll("time")) {
      const said = ago(time.dateTime), where = time.title ? "title" : "textContent";
      if (time[where] !== said) time[where] = said;
    }
  }, 1000);

  // The keyboard.
  const pages = { o: "/", b: "/batches", e: "/groups", v: "/events", a: "/accounts", r: "/refused", j: "/jobs", s: "/schedules", l: "/actions" };
  let awaited = 0;
  const ROWS = ".rows tbody tr, article.group";
  const rows = () => [...main.querySelectorAll(ROWS)].map((row) => row.querySelector("a.open, a.button") || row.querySelector("a") || row);
  const keysOn = document.getElementById("keys-on");
  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
  const button = document.getElementById("help-button");
  button.hidden = false;
  button.addEventListener("click", () => help.showModal());

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const first = Math.max(0, all.findIndex((one) => one.closest(":target")));
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? first : at + by))];
    if (!next.matches("a")) next.tabIndex = -1;
    next.focus();
    next.closest(ROWS).scrollIntoView({ block: "nearest" });
  }
  function mark() {
    const row = document.activeElement.closest(".rows tbody tr"), box = row && row.querySelector("input[type=checkbox]");
    if (box) box.checked = !box.checked;
  }
  function markAll() {
    const boxes = [...main.querySelectorAll(".rows input[type=checkbox]")], every = boxes.every((box) => box.checked);
    boxes.forEach((box) => { box.checked = !every; });
  }
  function follow(key) { // what stands in a row or a group is meant only by who is there
    const at = document.activeElement.closest(ROWS), all = [...main.querySelectorAll(`[data-key="${key}"]`)];
    const link = all.find((one) => at && at.contains(one)) || all.find((one) => !one.closest(ROWS));
    if (link) link.click();
  }
  const does = {
    j: () => step(1), k: () => step(-1), n: () => follow("n"), p: () => follow("p"), x: mark, X: markAll,
    r: () => follow("r"), c: () => follow("c"), d: () => follow("d"), y: () => follow("y"),
    "/": () => document.getElementById("what").focus(), "?": () => help.showModal(),
    l: () => { on = !on; kept = null; if (on) open(); else { close(); say(); } }, g: () => { awaited = Date.now(); },
  };
  document.addEventListener("keydown", (event) => {
    const inField = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (inField && event.key === "Escape") event.target.blur();
    if (!keysOn.checked || inField || help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Date.now() - awaited < 1500 && pages[event.key];
    awaited = 0;
    if (page) location.assign(document.documentElement.dataset.root + page.slice(1));
    else if (does[event.key]) { event.preventDefault(); does[event.key](); }
  });

  again = setTimeout(open, 1000 * seconds()); // until then the page is as it was loaded
  say();
})();
