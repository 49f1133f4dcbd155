// What stands around the map: the photo with its frames, the words, the pointer's card, the lists.

const SVG = "http://www.w3.org/2000/svg";

const LONGEST = 80; // characters in a card

const UNKNOWN = "word that the model does not know: it reads [UNK]";

const isOfImage = (kind) => kind === "image" || kind === "placeless";
const kindOf = (map, mark) => (map.unknown.includes(mark) ? UNKNOWN : map.kindNouns[map.kinds[mark]].one);

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

// A long text as a whole, but no longer than a card can show; with its place where others are alike.
function wholeOf(map, mark) {
  const { texts, wholes, kinds, positions } = map;
  const whole = wholes[mark] ?? texts[mark];
  const text = whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
  const isAlone = !(mark in wholes) && texts.indexOf(texts[mark]) === texts.lastIndexOf(texts[mark]);
  return isAlone || isOfImage(kinds[mark]) ? text : `${text}, position ${positions[mark] + 1}`;
}

// What a button cannot say of its mark, or nothing.
function titleOf(map, mark) {
  const whole = wholeOf(map, mark);
  return whole === map.texts[mark] ? "" : whole;
}

function markIcon(kind, color) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 12 12");
  icon.setAttribute("aria-hidden", "true");
  const shapes = {
    text: "M6 1a5 5 0 1 0 .01 0z",
    answer: "M6 .8 11.4 10.6H.6z",
    image: "M1.5 1.5h9v9h-9z",
    placeless: "M2 2h8v8h-8z",
    special: "M6 .5 11.5 6 6 11.5.5 6z",
  };
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shapes[kind]);
  path.setAttribute("fill", kind === "placeless" ? "none" : color);
  if (kind === "placeless") path.setAttribute("stroke", color);
  icon.append(path);
  return icon;
}

function legend(list, map) {
  const present = Object.keys(map.kindNouns).filter((kind) => map.kinds.includes(kind));
  list.replaceChildren(
    ...present.map((kind) => {
      const item = element("li");
      item.append(markIcon(kind, map.colors[kind]), element("span", map.kindNouns[kind].many));
      return item;
    }),
  );
}

// Which states are named below the slider: all while they fit, else every second, fifth, ...
function ticks(row, map) {
  const last = map.nStates - 1;
  const step = [1, 2, 5, 10, 20].find((wide) => last / wide <= 14) ?? 50;
  const marks = [];
  for (let state = 0; state <= last; state += step) {
    const tick = element("span", state ? String(state) : "emb.");
    tick.style.left = `${(100 * state) / Math.max(1, last)}%`;
    tick.dataset.state = state;
    marks.push(tick);
  }
  row.replaceChildren(...marks);
}

function hasPlace(map, mark) {
  return map.picture !== null && !Number.isNaN(map.boxes[4 * mark]);
}

// A patch's own piece of the picture, at `side` CSS pixels.
function thumbnail(canvas, map, picture, mark, side) {
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.height = side * ratio;
  canvas.style.width = canvas.style.height = `${side}px`;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  cropOf(pen, map, picture, mark, 0, 0, side * ratio);
  return canvas;
}

function emblem(map, picture, mark, side) {
  if (picture && hasPlace(map, mark)) {
    return thumbnail(element("canvas"), map, picture, mark, side);
  }
  const icon = markIcon(map.kinds[mark], map.colors[map.kinds[mark]]);
  icon.style.width = "0.75rem";
  icon.style.flex = "none";
  return icon;
}

function showTip(tip, map, picture, mark, x, y, room) {
  tip.hidden = mark === null;
  if (mark === null) return;
  const canvas = tip.querySelector("canvas");
  canvas.hidden = !(picture && hasPlace(map, mark));
  if (!canvas.hidden) thumbnail(canvas, map, picture, mark, 84);
  tip.querySelector("b").textContent = wholeOf(map, mark);
  tip.querySelector("span").textContent = kindOf(map, mark);
  const left = x + 16 + tip.offsetWidth > room.width ? x - 16 - tip.offsetWidth : x + 16;
  const top = Math.min(Math.max(4, y - tip.offsetHeight / 2), room.height - tip.offsetHeight - 4);
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${top}px`;
}

// Frames on the photo: the pointed-at patch, the selected ones, and dashed what is nearest.
function frames(svg, map, { hovered, selected, near }) {
  svg.setAttribute("viewBox", `0 0 ${map.size[0]} ${map.size[1]}`);
  const wanted = new Map();
  for (const { mark } of near) wanted.set(mark, [1.5, "3 2"]);
  for (const mark of selected) wanted.set(mark, [3, ""]);
  if (hovered !== null) wanted.set(hovered, [3, ""]);
  const rects = [];
  for (const [mark, [width, dashes]] of wanted) {
    if (!hasPlace(map, mark)) continue;
    if (!dashes) rects.push(frame(map, mark, "halo", width + 2.5, "", "#fff"));
    rects.push(frame(map, mark, "", width, dashes, map.colors.image));
  }
  svg.replaceChildren(...rects);
}

function frame(map, mark, className, width, dashes, color) {
  const [left, top, right, bottom] = map.boxes.subarray(4 * mark, 4 * mark + 4);
  const rect = document.createElementNS(SVG, "rect");
  const place = { x: left, y: top, width: right - left, height: bottom - top };
  for (const [name, value] of Object.entries(place)) rect.setAttribute(name, value);
  rect.setAttribute("class", className);
  rect.setAttribute("stroke", color);
  rect.setAttribute("stroke-width", width);
  rect.setAttribute("stroke-dasharray", dashes);
  return rect;
}

// The patch that covers a place of the photo, given in shares of its width and height; the smallest
// where the model is shown the picture several times.
function patchAt(map, across, down) {
  const [x, y] = [across * map.size[0], down * map.size[1]];
  const { boxes } = map;
  let [found, least] = [null, Infinity];
  for (let mark = 0, at = 0; mark < map.nTokens; mark++, at += 4) {
    if (!(boxes[at] <= x && x < boxes[at + 2] && boxes[at + 1] <= y && y < boxes[at + 3])) continue;
    const area = (boxes[at + 2] - boxes[at]) * (boxes[at + 3] - boxes[at + 1]);
    if (area < least) [found, least] = [mark, area];
  }
  return found;
}

// Buttons carry their mark in data-mark; one listener on each group serves them all.
function wordButtons(group, map) {
  const marks = map.kinds.flatMap((kind, mark) => (isOfImage(kind) ? [] : [mark]));
  const shown = marks.length > 400 ? [] : marks;
  group.replaceChildren(
    ...shown.map((mark) => {
      const button = element("button", map.texts[mark]);
      button.type = "button";
      button.dataset.mark = mark;
      button.title = titleOf(map, mark);
      button.style.borderColor = map.colors[map.kinds[mark]];
      if (map.kinds[mark] === "special") button.style.borderStyle = "dashed";
      if (map.unknown.includes(mark)) {
        button.classList.add("unknown");
        button.title = [button.title, `A ${UNKNOWN}`].filter(Boolean).join(". ");
      }
      return button;
    }),
  );
}

function lightWords(group, { hovered, selected }) {
  for (const button of group.children) {
    const mark = Number(button.dataset.mark);
    button.setAttribute("aria-pressed", String(selected.includes(mark)));
    button.classList.toggle("lit", selected.includes(mark) || mark === hovered);
    button.style.boxShadow = selected.includes(mark) ? `0 0 0 1px ${button.style.borderColor}` : "";
  }
}

function nearestLists(panel, map, picture, subject, found, stateName) {
  const heading = element("p", undefined, "subject");
  const name = element("span");
  name.append("Nearest to ", element("b", map.texts[subject]), `, ${stateName}`);
  heading.append(emblem(map, picture, subject, 26), name);
  const { many } = map.kindNouns.image;
  const lists = element("div", undefined, "lists");
  lists.append(
    nearestList("Words", map, picture, found.text),
    nearestList(`${many[0].toUpperCase()}${many.slice(1)}`, map, picture, found.image),
  );
  const note = element("p", "Cosine of the centred hidden states in the full space, −1 to 1.", "hint");
  note.style.marginTop = "0.4rem";
  panel.replaceChildren(heading, lists, note);
}

// A true minus sign, and none before zero.
function cosine(similarity) {
  const text = similarity.toFixed(2);
  return (Number(text) === 0 ? "0.00" : text).replace("-", "−");
}

function nearestList(title, map, picture, found) {
  const part = element("div");
  const list = element("ol");
  for (const { mark, similarity } of found) {
    const button = element("button");
    button.type = "button";
    button.dataset.mark = mark;
    button.title = titleOf(map, mark);
    button.append(
      emblem(map, picture, mark, 22),
      element("span", map.texts[mark]),
      element("data", cosine(similarity)),
    );
    const item = element("li");
    item.append(button);
    list.append(item);
  }
  if (!found.length) list.append(element("li", "none"));
  part.append(element("h4", title), list);
  return part;
}
