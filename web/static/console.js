// The console with a little of its own: live pages, and the keyboard. Without it every page works as it is.
"use strict";
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const help = document.getElementById("help");
  if (!live) return;

  // Live: the page is fetched anew and its parts exchanged; not while the tab is hidden, or somebody is about something.
  let timer = 0, asking = false, failed = 0, on = true;
  const seconds = () => Number(main.dataset.live || 0);

  function busy() {
    const at = document.activeElement;
    return (at && main.contains(at) && at.matches("input, select, textarea, summary, button"))
      || main.querySelector(".actions details[open]") || help.open || String(getSelection());
  }
  function say() {
    live.hidden = !seconds();
    live.classList.toggle("still", !on || failed > 0);
    live.textContent = !on ? "standing still" : failed ? "out of reach, trying again" : `live, every ${seconds()} s`;
  }
  function plan() {
    clearTimeout(timer);
    say();
    if (on && seconds() && !document.hidden) timer = setTimeout(refresh, 1000 * seconds() * Math.min(1 + failed, 10));
  }
  async function refresh() {
    if (asking) return;
    if (busy()) return plan();
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "follow" });
      if (answer.redirected) return location.reload(); // the session ended
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!busy()) exchange(page.getElementById("main"));
      failed = 0;
    } catch {
      failed += 1;
    } finally {
      asking = false;
      plan();
    }
  }
  function exchange(fresh) {
    const focused = rows().indexOf(document.activeElement), open = [...main.querySelectorAll("details")].map((one) => one.open);
    const tiles = [...main.querySelectorAll(".tiles dd")].map((one) => one.textContent), said = main.querySelector(".said");
    const scrolled = [...main.querySelectorAll(".scroll, pre")].map((one) => one.scrollLeft);
    if (said) fresh.prepend(said);
    main.replaceChildren(...fresh.childNodes);
    if (fresh.dataset.live) main.dataset.live = fresh.dataset.live; else delete main.dataset.live;
    main.querySelectorAll("details").forEach((one, index) => { if (open.length > index) one.open = open[index]; });
    main.querySelectorAll(".scroll, pre").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
    main.querySelectorAll(".tiles dd").forEach((one, index) => {
      if (tiles[index] !== undefined && tiles[index] !== one.textContent) one.classList.add("changed");
    });
    if (focused >= 0 && rows()[focused]) rows()[focused].focus({ preventScroll: true });
  }
  document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : refresh());

  // The keyboard.
  const pages = { o: "/", b: "/batches", e: "/groups", v: "/events", a: "/accounts", r: "/refused" };
  let awaited = 0;
  const rows = () => [...main.querySelectorAll(".rows tbody tr")].map((row) => row.querySelector("a.open") || row.querySelector("a") || row);
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
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
    if (!next.matches("a")) next.tabIndex = -1;
    next.focus();
    next.closest("tr").scrollIntoView({ block: "nearest" });
  }
  const follow = (key) => { const link = main.querySelector(`[data-key="${key}"]`); if (link) link.click(); };
  const does = {
    j: () => step(1), k: () => step(-1), n: () => follow("n"), p: () => follow("p"),
    "/": () => document.getElementById("what").focus(), "?": () => help.showModal(),
    l: () => { on = !on; plan(); }, g: () => { awaited = Date.now(); },
  };
  document.addEventListener("keydown", (event) => {
    const inField = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (inField && event.key === "Escape") event.target.blur();
    if (!keysOn.checked || inField || help.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Date.now() - awaited < 1500 && pages[event.key];
    awaited = 0;
    if (page) location.assign(page);
    else if (does[event.key]) { event.preventDefault(); does[event.key](); }
  });

  plan();
})();
