// The picture with its patch grid, the text as tokens, and what the model makes of them.

function element(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// One path for all patches: thousands of shapes would keep the page from scrolling smoothly.
function drawGrid(svg, { size, boxes }) {
  if (!size) return svg.firstElementChild.setAttribute("d", "");
  svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const all =
    boxes.each ?? boxes.rows.flatMap(([top, bottom]) => boxes.columns.map(([left, right]) => [left, top, right, bottom]));
  const shapes = all.map(([left, top, right, bottom]) => `M${left} ${top}H${right}V${bottom}H${left}Z`);
  svg.firstElementChild.setAttribute("d", shapes.join(""));
  svg.style.setProperty("--grid", Math.min(0.3, 5 / Math.sqrt(shapes.length))); // a fine grid is fainter
}

function chip({ text, kind, unknown, title }) {
  const node = element("span", `token ${kind}${unknown ? " unknown" : ""}`, text);
  node.title = title;
  return node;
}

function answer({ text, share, said }) {
  const item = element("li", "");
  const track = element("div", "track");
  const bar = element("div", "bar");
  bar.style.width = `${100 * share}%`;
  track.hidden = share === null;
  track.append(bar);
  item.append(element("span", "name", text), track, element("span", "share", said));
  return item;
}

// A generated token with its probability below it: as a number, and as the length of a line.
function spoken({ text, adds, share, said }) {
  const item = element("li", "");
  const bar = element("div", "bar");
  bar.style.width = `${100 * share}%`;
  item.append(element("span", "name", text), bar, element("span", "share", said));
  item.title = `“${adds}”: ${said}`;
  return item;
}

export default function ({ data, parentElement: root }) {
  const find = (selector) => root.querySelector(selector);
  const image = find("img");
  find(".picture").hidden = !data.picture;
  if (data.picture && image.src !== data.picture) image.src = data.picture;
  image.alt = data.alt;
  drawGrid(find("svg"), data);
  for (const name of ["instead", "doubt", "whole", "stopped", "truth", "read", "title"]) {
    find(`.${name}`).textContent = data[name];
  }
  find("figcaption").textContent = data.caption;
  find(".about").textContent = data.note;
  const rest = data.more ? [element("span", "more", data.more)] : [];
  find(".tokens").replaceChildren(...data.tokens.map(chip), ...rest);
  find(".answers").classList.toggle("in-line", data.inLine);
  find(".answers").replaceChildren(...data.answers.map(data.inLine ? spoken : answer));
}
