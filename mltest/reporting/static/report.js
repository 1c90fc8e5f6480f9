/* Adds to a page that is whole without it: hover, brushing, sorting, search and filters. No library, no request. */
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, name) => Object.assign(document.createElement(tag), { className: name });

  /* A link into something folded opens it; so does printing. */
  const reveal = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { return; }
    const target = id && document.getElementById(id);
    if (!target) return;
    const card = target.closest("article");
    if (card && card.hidden) clearFilters();
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
  };
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
    opened = [];
  });

  /* Search and filters: there where a page has many checks. */
  const toolbar = document.querySelector(".toolbar");
  const search = toolbar && toolbar.querySelector("input");
  const buttons = toolbar ? all("[data-filter]", toolbar) : [];
  const cards = toolbar ? all("article") : [];
  const words = new Map();
  const wordsOf = (card) => {
    if (!words.has(card)) words.set(card, card.textContent.toLowerCase());
    return words.get(card);
  };
  const filter = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(buttons.filter((b) => b.ariaPressed === "true").map((b) => b.dataset.filter));
    let shown = 0;
    for (const card of cards) {
      const kept = (!chosen.size || chosen.has(card.dataset.outcome)) &&
        (!wanted.length || wanted.every((word) => wordsOf(card).includes(word)));
      card.hidden = !kept;
      shown += kept;
    }
    for (const section of all("section:has(article), .group")) section.hidden = !section.querySelector("article:not([hidden])");
    const output = toolbar.querySelector("output");
    output.textContent = shown === cards.length ? "" :
      output.dataset.many.replace("{shown}", shown.toLocaleString()).replace("{all}", cards.length.toLocaleString());
  };
  const clearFilters = () => {
    search.value = "";
    for (const button of buttons) button.ariaPressed = "false";
    filter();
  };
  if (toolbar) {
    toolbar.hidden = false;
    toolbar.addEventListener("submit", (event) => event.preventDefault());
    search.addEventListener("input", filter);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        button.ariaPressed = button.ariaPressed === "true" ? "false" : "true";
        filter();
      });
    }
    addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
        event.preventDefault();
        search.focus();
      }
    });
  }

  /* Sorting. The order in which rows were written is kept, since marks name their rows by it. */
  const written = new WeakMap();
  const rowsOf = (table) => {
    if (!written.has(table)) written.set(table, [...table.tBodies[0].rows]);
    return written.get(table);
  };
  const value = (row, column) => {
    const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
    const number = Number(text.replace(/,/g, "").replace("−", "-").replace("∞", "Infinity"));
    return text === "" || Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  };
  const sortable = (table) => {
    if (table.dataset.sortable || rowsOf(table).length < 4) return;
    table.dataset.sortable = "yes";
    for (const head of table.tHead.rows[0].cells) {
      if (!head.textContent.trim()) continue;
      const button = make("button", "");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = head.ariaSort === "ascending" ? "descending" : "ascending";
        for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
        head.ariaSort = way;
        const keyed = rowsOf(table).map((row) => [value(row, head.cellIndex), row]);
        keyed.sort((one, two) => compare(one[0], two[0]) * (way === "ascending" ? 1 : -1));
        table.tBodies[0].append(...keyed.map((pair) => pair[1]));
      });
    }
  };
  const sortInside = (root) => all("table.data", root).filter((t) => !t.closest("details:not([open])")).forEach(sortable);
  document.addEventListener("toggle", (event) => event.target.open && sortInside(event.target), true);
  sortInside(document);

  /* Hover: the row of the table that the nearest mark stands for. */
  const tip = make("div", "tip");
  tip.hidden = true;
  document.body.append(tip);
  const tell = (figure, row, event, only) => {
    const table = figure && figure.querySelector("table.data");
    const found = table && rowsOf(table)[row];
    if (!found) return hush();
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    tip.textContent = [...found.cells]
      .map((cell, column) => [heads[column], cell.textContent.slice(0, 120), column])
      .filter(([, text, column]) => text && (!only || only.includes(column)))
      .slice(0, 12)
      .map(([head, text]) => (head ? `${head}: ${text}` : text))
      .join("\n");
    tip.hidden = false;
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 10}px`;
    return found;
  };
  const hush = () => { tip.hidden = true; };
  const inside = (svg, event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

  const expand = (ranges) => ranges.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  /* Where the marks of a path stand: its absolute points, one a row of the table. */
  const places = new WeakMap();
  const placesOf = (path) => {
    if (!places.has(path)) {
      const d = path.getAttribute("d");
      const starts = (d.match(/M/g) || []).length > 1 || /[a-z]/.test(d);
      const numbers = starts ? [...d.matchAll(/M([\d.]+) ([\d.]+)/g)].map((m) => [+m[1], +m[2]])
        : [...d.matchAll(/([\d.]+) ([\d.]+)/g)].map((m) => [+m[1], +m[2]]);
      places.set(path, expand(path.dataset.rows).map((row, i) => [...(numbers[i] || [-99, -99]), row]));
    }
    return places.get(path);
  };
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [name, given] of [["r", 6], ["fill", "none"], ["stroke", "currentColor"], ["stroke-width", 2]]) ring.setAttribute(name, given);
  const nearest = (svg, at) => {
    let best = [28 ** 2];
    for (const path of all("[data-rows]", svg)) {
      for (const [x, y, row] of placesOf(path)) {
        const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
        if (distance < best[0]) best = [distance, x, y, row];
      }
    }
    return best.length > 1 && best;
  };
  const hoverPlot = (svg, event) => {
    const found = nearest(svg, inside(svg, event));
    if (!found || !tell(svg.closest("figure"), found[3], event)) return leave();
    ring.setAttribute("cx", found[1]);
    ring.setAttribute("cy", found[2]);
    svg.append(ring);
  };
  const hoverHeat = (svg, event) => {
    const cells = svg.querySelector("[data-cells]");
    const at = inside(cells, event);
    const [columns, rows] = cells.dataset.cells.split(" ").map(Number);
    const column = Math.floor(at.x), row = Math.floor(at.y);
    if (column < 0 || row < 0 || column >= columns || row >= rows) return leave();
    tell(svg.closest("figure"), row, event, [0, column + 1]);
  };
  const leave = () => {
    hush();
    ring.remove();
    for (const path of all(".near")) path.classList.remove("near");
  };

  /* Parallel coordinates: the line under the pointer, and brushes along the axes, by pointer and by keys. */
  const lines = new WeakMap();
  const linesOf = (svg) => {
    if (!lines.has(svg)) {
      lines.set(svg, all("[data-row]", svg).map((path) => ({
        path, row: +path.dataset.row,
        points: [...path.getAttribute("d").matchAll(/([\d.]+) ([\d.]+)/g)].map((m) => [+m[1], +m[2]]),
      })));
    }
    return lines.get(svg);
  };
  const heightAt = (points, x) => {
    for (let i = 1; i < points.length; i++) {
      const [[left, from], [right, to]] = [points[i - 1], points[i]];
      if (x >= left && x <= right) return from + ((to - from) * (x - left)) / (right - left);
    }
    return NaN;
  };
  const hoverParallel = (svg, event) => {
    const at = inside(svg, event);
    let best = [10];
    for (const line of linesOf(svg)) {
      const distance = Math.abs(heightAt(line.points, at.x) - at.y);
      const kept = !svg.classList.contains("faded") || line.path.classList.contains("kept");
      if (kept && distance < best[0]) best = [distance, line];
    }
    leave();
    if (best[1] && tell(svg.closest("figure"), best[1].row, event)) best[1].path.classList.add("near");
  };
  const brushes = new WeakMap();
  const brushesOf = (svg) => {
    if (!brushes.has(svg)) brushes.set(svg, new Map());
    return brushes.get(svg);
  };
  const brush = (svg) => {
    const held = brushesOf(svg);
    svg.classList.toggle("faded", held.size > 0);
    let count = 0;
    for (const { path, points } of linesOf(svg)) {
      const kept = [...held].every(([x, { low, high }]) => points.some((p) => p[0] === x && p[1] >= low && p[1] <= high));
      path.classList.toggle("kept", kept);
      count += kept;
    }
    for (const strip of all(".strip", svg)) {
      const { from, to } = ends(strip), { low, high } = held.get(+strip.dataset.x) || { low: from, high: to };
      strip.ariaValueNow = Math.round((100 * (to - (low + high) / 2)) / (to - from));
      strip.ariaValueText = `${count} / ${linesOf(svg).length}`;
    }
  };
  /* Keep what passes this axis between two heights; without heights, everything. */
  const setBrush = (svg, x, low, high) => {
    const held = brushesOf(svg);
    const box = (held.get(x) || { box: document.createElementNS("http://www.w3.org/2000/svg", "rect") }).box;
    if (high - low >= 4) {
      for (const [name, given] of [["class", "brush"], ["x", x - 8], ["width", 16], ["y", low], ["height", high - low]]) box.setAttribute(name, given);
      svg.append(box);
      held.set(x, { low, high, box });
    } else {
      box.remove();
      held.delete(x);
    }
    brush(svg);
  };
  const startBrush = (svg, event) => {
    const at = inside(svg, event);
    const strip = all(".strip", svg).find((one) => Math.abs(one.dataset.x - at.x) < 16);
    if (!strip) return;
    event.preventDefault();
    svg.setPointerCapture(event.pointerId);
    const x = +strip.dataset.x;
    setBrush(svg, x);
    const move = (next) => {
      const now = inside(svg, next).y;
      if (Math.abs(now - at.y) >= 4) setBrush(svg, x, Math.min(at.y, now), Math.max(at.y, now));
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerup", () => svg.removeEventListener("pointermove", move), { once: true });
  };
  const ends = (strip) => {
    const [from, to] = strip.getAttribute("d").match(/ ([\d.]+)V([\d.]+)/).slice(1).map(Number);
    return { from, to };
  };
  /* The same by keys: arrows move the brush, with Shift they make it wider or narrower, Escape takes it away. */
  const brushByKey = (svg, strip, event) => {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!way && event.key !== "Escape") return;
    event.preventDefault();
    const x = +strip.dataset.x, { from, to } = ends(strip), step = (to - from) / 12;
    if (!way) return setBrush(svg, x);
    const held = brushesOf(svg).get(x);
    if (!held) return way > 0 ? setBrush(svg, x, from, from + 3 * step) : setBrush(svg, x, to - 3 * step, to);
    let { low, high } = held;
    if (event.shiftKey) high = Math.max(low + step, Math.min(to, high + way * step));
    else [low, high] = [low, high].map((one) => one + Math.max(from - low, Math.min(to - high, way * step)));
    setBrush(svg, x, low, high);
  };
  for (const svg of all("svg.parallel")) {
    svg.setAttribute("role", "group");
    for (const strip of all(".strip", svg)) {
      for (const [name, given] of [["tabindex", 0], ["role", "slider"], ["aria-orientation", "vertical"], ["aria-label", strip.nextElementSibling.textContent]]) strip.setAttribute(name, given);
      strip.addEventListener("keydown", (event) => brushByKey(svg, strip, event));
    }
    brush(svg);
  }

  const kinds = { plot: hoverPlot, heat: hoverHeat, parallel: hoverParallel };
  let waiting = 0;
  document.addEventListener("pointermove", (event) => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      const svg = event.target.closest && event.target.closest("figure svg");
      const hover = svg && kinds[svg.classList[0]];
      if (hover) hover(svg, event); else leave();
    });
  });
  addEventListener("scroll", leave, { passive: true });
  document.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest && event.target.closest("svg.parallel");
    if (svg) startBrush(svg, event);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && leave());
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
