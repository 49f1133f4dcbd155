// The picture with its patch grid, the question as tokens, the answer with its runners-up.
const SVG = "http://www.w3.org/2000/svg";

function element(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function drawGrid(svg, data) {
  svg.setAttribute("viewBox", `0 0 ${data.size[0]} ${data.size[1]}`);
  const boxes = data.boxes.map(([left, top, right, bottom]) => {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("x", left);
    rect.setAttribute("y", top);
    rect.setAttribute("width", right - left);
    rect.setAttribute("height", bottom - top);
    return rect;
  });
  svg.replaceChildren(...boxes);
}

function answer({ text, share, said }) {
  const item = element("li", "");
  const track = element("div", "track");
  const bar = element("div", "bar");
  bar.style.width = `${100 * share}%`;
  track.append(bar);
  item.append(element("span", "name", text), track, element("span", "share", said));
  return item;
}

export default function ({ data, parentElement: root }) {
  const find = (selector) => root.querySelector(selector);
  const image = find("img");
  if (image.src !== data.picture) image.src = data.picture;
  image.alt = data.alt;
  drawGrid(find("svg"), data);
  find(".instead").textContent = data.instead;
  find("figcaption").textContent = data.caption;
  find(".tokens").replaceChildren(...data.tokens.map((token) => {
    const chip = element("span", `token ${token.kind}${token.unknown ? " unknown" : ""}`, token.text);
    chip.title = token.title;
    return chip;
  }));
  find(".doubt").textContent = data.doubt;
  find(".answers").replaceChildren(...data.answers.map(answer));
  find(".truth").textContent = data.truth;
}
