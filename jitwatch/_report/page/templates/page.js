"use strict";
(() => {
  const root = document.documentElement;
  const FEW = 25;
  const byId = (id) => document.getElementById(id);
  root.classList.add("js");
  for (const one of document.querySelectorAll(".tools, .zoom")) one.hidden = false;

  // A function's details stand in a drawer; the address says which, so that a link leads to it.
  let opener = null;
  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const found = id && byId(id);
    const article = found && found.closest("article.function");
    for (const one of document.querySelectorAll(".shown")) one.classList.remove("shown");
    root.classList.toggle("open", Boolean(article));
    if (article) {
      article.classList.add("shown");
      const link = document.querySelector(`table.functions a[href="#${CSS.escape(article.id)}"]`);
      if (link) link.closest("tr").classList.add("shown");
      byId("details").scrollTop = 0;
      article.querySelector("h2").focus({ preventScroll: true });
    } else if (found && found.matches("details")) {
      for (let one = found; one; one = one.parentElement.closest("details")) one.open = true;
      found.scrollIntoView();
    }
  };
  const go = (hash) => {
    const [x, y] = [scrollX, scrollY];
    location.hash = hash;
    scrollTo(x, y);
  };
  const close = () => {
    if (!root.classList.contains("open")) return;
    history.pushState(null, "", location.pathname + location.search);
    show();
    if (opener && opener.isConnected) opener.focus({ preventScroll: true });
  };
  addEventListener("hashchange", show);
  addEventListener("popstate", show);
  addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    if (link.matches(".close")) return close();
    opener = link;
    go(link.getAttribute("href"));
  });

  // The table of functions: sort by any column, filter by text and by whether there are findings.
  const table = document.querySelector("table.functions");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    for (const head of table.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isText = head.dataset.sort === "text";
        const known = head.getAttribute("aria-sort");
        const down = known ? known === "ascending" : !isText;
        for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[head.cellIndex].dataset.v;
        const compare = isText ? (a, b) => value(a).localeCompare(value(b)) : (a, b) => value(a) - value(b);
        rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
        body.append(...rows);
        narrow();
      });
    }
    const [filter, only, matches] = ["filter", "only-findings", "matches"].map(byId);
    const texts = new Map(rows.map((row) => [row, row.cells[0].textContent.toLowerCase()]));
    const more = document.querySelector(".more");
    let limit = FEW;
    const narrow = () => {
      const wanted = filter.value.trim().toLowerCase();
      let count = 0;
      for (const row of rows) {
        const matching = texts.get(row).includes(wanted) && (!only.checked || row.dataset.findings);
        count += Boolean(matching);
        row.hidden = !matching || count > limit;
      }
      matches.textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
      more.hidden = count <= limit;
    };
    byId("show-all").addEventListener("click", () => {
      limit = Infinity;
      narrow();
    });
    filter.addEventListener("input", narrow);
    only.addEventListener("change", narrow);
    narrow();
  }

  // The timeline is drawn in percent of its width, so that to zoom is to widen it.
  const inner = document.querySelector(".inner");
  if (inner) {
    const scroll = inner.parentElement;
    const steps = [1, 4, 16, 64];
    const zoom = (to, at) => {
      const middle = at === undefined ? scroll.clientWidth / 2 : at;
      const share = (scroll.scrollLeft + middle) / inner.clientWidth;
      inner.dataset.zoom = steps[Math.max(0, Math.min(to, steps.length - 1))];
      scroll.scrollLeft = share * inner.clientWidth - middle;
    };
    const now = () => steps.indexOf(Number(inner.dataset.zoom));
    byId("zoom-in").addEventListener("click", () => zoom(now() + 1));
    byId("zoom-out").addEventListener("click", () => zoom(now() - 1));
    byId("zoom-all").addEventListener("click", () => zoom(0));
    scroll.addEventListener("dblclick", (event) => zoom(now() + 1, event.clientX - scroll.getBoundingClientRect().left));
    scroll.addEventListener("keydown", (event) => {
      if (event.key === "+" || event.key === "=") zoom(now() + 1);
      if (event.key === "-") zoom(now() - 1);
    });
    scroll.addEventListener("click", (event) => {
      const slice = event.target.closest("g[data-to]");
      if (slice) go(slice.dataset.to);
    });
  }
  show();
})();
