// The head map: layers x heads as a grid of cells, layer means beside it, a color bar.
// Pointing and choosing are answered here at once; Python hears of a choice afterwards.

const views = new WeakMap();
const WIDEST = 84; // pixels: wider cells would only be emptier
const TALLEST = 56;
const MAP_HEIGHT = 460; // what many layers share
const LEAST = { width: 12, height: 10 }; // pixels: smaller cells cannot be hit, so the map scrolls
const HIGHEST = 560; // a higher map scrolls within itself
const MARGINS = { label: 30, means: 12, bar: 96, edge: 26 }; // edge: the word "mean"
const NARROW = 420; // in less width or height than this the color bar lies under the map
const SHORT = 190;
const EDGE = 4; // pixels that are shown beyond a cell
const SCROLLBAR = 15;

export default function (component) {
  const { data, parentElement: root } = component;
  let view = views.get(root);
  if (!view) {
    view = created(root);
    views.set(root, view);
  }
  view.component = component;
  show(view, decoded(data));
  return () => {
    view.observer.disconnect();
    views.delete(root);
  };
}

function created(root) {
  const find = (name) => root.querySelector(`.${name}`);
  const view = {
    root,
    frame: find("frame"),
    grid: find("grid"),
    bar: find("bar"),
    tip: find("tip"),
    title: find("title"),
    cells: [],
    active: null,
  };
  view.observer = new ResizeObserver(() => fit(view));
  view.observer.observe(view.frame);
  find("png").onclick = () => savePicture(root, view.data, view.size);
  view.grid.onclick = (event) => withCell(event, (at) => choose(view, at));
  view.grid.onpointermove = (event) => withCell(event, (at) => point(view, at));
  view.grid.onpointerleave = view.grid.onscroll = () => point(view, null);
  view.grid.addEventListener("focusin", (event) => withCell(event, (at) => point(view, at)));
  view.grid.addEventListener("focusout", () => point(view, null));
  view.grid.onkeydown = (event) => withCell(event, (at) => press(view, event, at));
  return view;
}

function withCell(event, act) {
  const cell = event.target.closest(".cell");
  if (cell) act([Number(cell.dataset.layer), Number(cell.dataset.column)]);
}

function show(view, data) {
  const isOther = !view.data || !sameShape(view.data, data);
  const isSame = !isOther && view.data.stamp === data.stamp;
  view.data = data;
  if (isOther) build(view);
  if (!isSame) {
    view.title.textContent = data.name;
    view.grid.setAttribute("aria-label", `${data.name}, one cell for each layer and head`);
    color(view);
    fit(view);
  }
  mark(view, data.selected);
  if (isOther) reveal(view, view.active);
}

const sameShape = (one, other) =>
  one.values[0].length === other.values[0].length && one.layers.join() === other.layers.join();

const made = (name, role, text = "") => {
  const element = document.createElement("div");
  element.className = name;
  element.setAttribute("role", role);
  element.textContent = text;
  return element;
};

function build(view) {
  const { layers, values } = view.data;
  const heads = values[0].length;
  view.grid.replaceChildren();
  view.cells = [];
  view.marked = null;
  const top = made("row heads", "row");
  top.append(made("corner", "columnheader", "layer"));
  for (let head = 1; head <= heads; head += 1) top.append(made("head", "columnheader", head));
  top.append(made("head mean", "columnheader", "mean"));
  view.grid.append(top);
  layers.forEach((number, layer) => {
    const row = made("row", "row");
    row.append(made("layer", "rowheader", number));
    view.cells.push(Array.from({ length: heads + 1 }, (_, column) => builtCell(layer, column, heads)));
    row.append(...view.cells[layer]);
    view.grid.append(row);
  });
}

function builtCell(layer, column, heads) {
  const cell = made(column === heads ? "cell mean" : "cell", "gridcell");
  cell.dataset.layer = layer;
  cell.dataset.column = column;
  cell.setAttribute("aria-selected", false);
  cell.tabIndex = -1;
  return cell;
}

const headsOf = (data) => data.values[0].length;
const valueAt = (data, [layer, column]) =>
  column === headsOf(data) ? data.means[layer] : data.values[layer][column];

function nameOf(data, [layer, column]) {
  const head = column === headsOf(data) ? "mean of its heads" : `head ${column + 1}`;
  return `Layer ${data.layers[layer]}, ${head}`;
}

function color(view) {
  const { data } = view;
  const decimals = decimalsOf(data);
  view.cells.forEach((row, layer) => {
    row.forEach((cell, column) => {
      const value = valueAt(data, [layer, column]);
      const paint = value === null ? null : colorOf(value, data);
      cell.classList.toggle("missing", value === null);
      cell.style.backgroundColor = paint ? `rgb(${paint.join()})` : "";
      cell.style.color = paint ? inkOn(paint) : "";
      cell.setAttribute("aria-label", `${nameOf(data, [layer, column])}: ${written(value, decimals)}`);
    });
  });
}

function mark(view, [layer, head]) {
  const chosen = [layer, head ?? headsOf(view.data)];
  const cell = view.cells[chosen[0]][chosen[1]];
  if (cell === view.marked) return;
  view.marked?.setAttribute("aria-selected", false);
  cell.setAttribute("aria-selected", true);
  view.marked = cell;
  activate(view, chosen);
  reveal(view, chosen);
}

/** Scroll the map, and never the page, until the cell is clear of the names that stay in place. */
function reveal({ grid, cells }, [layer, column]) {
  const cell = cells[layer][column];
  const left = cell.offsetLeft - MARGINS.label;
  const top = cell.offsetTop - grid.firstElementChild.offsetHeight;
  if (left < grid.scrollLeft) grid.scrollLeft = left;
  if (top < grid.scrollTop) grid.scrollTop = top;
  const [right, bottom] = [cell.offsetLeft + cell.offsetWidth, cell.offsetTop + cell.offsetHeight];
  grid.scrollLeft = Math.max(grid.scrollLeft, right + EDGE - grid.clientWidth);
  grid.scrollTop = Math.max(grid.scrollTop, bottom + EDGE - grid.clientHeight);
}

/** Exactly one cell can be reached with Tab: the one the arrow keys start from. */
function activate(view, at) {
  if (view.active) view.cells[view.active[0]]?.[view.active[1]]?.setAttribute("tabindex", -1);
  view.active = at;
  view.cells[at[0]][at[1]].tabIndex = 0;
}

function choose(view, [layer, column]) {
  const head = column === headsOf(view.data) ? null : column;
  view.data.selected = [layer, head];
  mark(view, [layer, head]);
  // The time tells Python two choices of the same cell apart.
  view.component.setStateValue("chosen", { layer, head, at: Date.now() });
}

function press(view, event, [layer, column]) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own shortcuts
  const last = [view.cells.length - 1, headsOf(view.data)];
  const steps = {
    ArrowUp: [layer - 1, column],
    ArrowDown: [layer + 1, column],
    ArrowLeft: [layer, column - 1],
    ArrowRight: [layer, column + 1],
    Home: [layer, 0],
    End: [layer, last[1]],
    PageUp: [0, column],
    PageDown: [last[0], column],
  };
  if (event.key === "Enter" || event.key === " ") choose(view, [layer, column]);
  else if (steps[event.key]) {
    const next = steps[event.key].map((to, axis) => Math.max(0, Math.min(last[axis], to)));
    activate(view, next);
    view.cells[next[0]][next[1]].focus();
  } else return;
  event.preventDefault();
}

function point(view, at) {
  view.tip.hidden = !at;
  if (!at) return;
  const { data } = view;
  const [layer, column] = at;
  const decimals = decimalsOf(data) + 1;
  const lines = [nameOf(data, at), `${written(valueAt(data, at), decimals)} ${data.unit}`];
  if (column < headsOf(data)) lines.push(...hintsOn(data, layer, column));
  view.tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  const cell = view.cells[layer][column].getBoundingClientRect();
  const room = view.frame.getBoundingClientRect();
  const left = cell.left - room.left + cell.width / 2 - view.tip.offsetWidth / 2;
  view.tip.style.left = `${Math.max(0, Math.min(room.width - view.tip.offsetWidth, left))}px`;
  view.tip.style.top = `${cell.top - room.top - view.tip.offsetHeight - 6}px`;
}

/** Cells as large as the width allows; small ones lose their gaps, numbers and some labels. */
function fit(view) {
  const { data } = view;
  const heads = headsOf(data);
  const isNarrow = view.frame.clientWidth < NARROW;
  const right = isNarrow ? MARGINS.edge : MARGINS.bar;
  const isHigh = LEAST.height * data.layers.length > HIGHEST;
  const room =
    view.frame.clientWidth - MARGINS.label - MARGINS.means - right - (isHigh ? SCROLLBAR : 0);
  const width = Math.max(LEAST.width, Math.min(WIDEST, room / (heads + 1)));
  const height = Math.max(LEAST.height, Math.min(TALLEST, 0.9 * width, MAP_HEIGHT / data.layers.length));
  view.size = { width, height };
  view.shown = Math.min(height * data.layers.length, HIGHEST); // of the rows, in pixels
  view.isBarBelow = isNarrow || view.shown < SHORT;
  const small = Math.min(width, height);
  const style = view.frame.style;
  style.setProperty("--columns", `${MARGINS.label}px repeat(${heads}, ${width}px) ${MARGINS.means}px ${width}px`);
  style.setProperty("--height", `${height}px`);
  style.setProperty("--shown", `${view.shown}px`);
  style.setProperty("--row", `${MARGINS.label + MARGINS.means + (heads + 1) * width + MARGINS.edge}px`);
  view.frame.classList.toggle("scrolls", isHigh || width * (heads + 1) > room + 1);
  style.setProperty("--gap", small < 7 ? "0px" : small < 18 ? "0.5px" : "1px");
  style.setProperty("--radius", small < 12 ? "0px" : "4px");
  view.frame.classList.toggle("below", view.isBarBelow);
  view.frame.classList.toggle("thin", width < MARGINS.edge);
  thin(view.grid.querySelectorAll(".layer"), 17 / height);
  thin(view.grid.querySelectorAll(".head:not(.mean)"), 19 / width);
  number(view);
  drawBar(view);
}

function thin(labels, apart) {
  // The first label stays, so the second may be one place nearer to it than the others are.
  const every = apart <= 1 ? 1 : ([2, 4, 5, 10, 20, 50].find((step) => step - 1 >= apart) ?? 100);
  labels.forEach((label, i) => {
    label.classList.toggle("unlabelled", every > 1 && i > 0 && (i + 1) % every > 0);
  });
}

function number(view) {
  const { data, size } = view;
  const decimals = decimalsOf(data);
  const longest = Math.max(...[data.low, data.high].map((value) => written(value, decimals).length));
  const fits = size.height >= 22 && size.width >= longest * 6.6 + 6;
  view.cells.forEach((row, layer) =>
    row.forEach((cell, column) => {
      const value = valueAt(data, [layer, column]);
      cell.textContent = fits && value !== null ? written(value, decimals) : "";
    }),
  );
}

function drawBar(view) {
  const { data, size, bar } = view;
  const whole = (headsOf(data) + 1) * size.width + MARGINS.means;
  const across = Math.min(whole, view.frame.clientWidth - MARGINS.label - MARGINS.edge);
  const length = view.isBarBelow ? across : view.shown;
  bar.style.setProperty("--across", `${across}px`);
  const ticks = ticksOf(data, Math.min(6, length / 42));
  const decimals = tickDecimals(ticks);
  const longest = Math.max(...ticks.map((tick) => written(tick, decimals).length));
  bar.style.setProperty("--digits", `${longest}ch`);
  bar.style.setProperty("--colors", data.colors.join());
  bar.querySelector(".unit").textContent = data.unit;
  bar.querySelector(".ticks").replaceChildren(
    ...ticks.map((tick) => {
      const label = document.createElement("span");
      label.textContent = written(tick, decimals);
      label.style.setProperty("--at", `${(100 * (tick - data.low)) / (data.high - data.low || 1)}%`);
      return label;
    }),
  );
}
