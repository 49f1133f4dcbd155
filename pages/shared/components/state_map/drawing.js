// Painting the map: marks from small prepared pictures, so that ten thousand points stay fluid.

const CROPS = 700; // more patches than this are drawn as plain squares
const TAU = 2 * Math.PI;

function cropSide(patches, width) {
  if (patches <= 100) return width < 560 ? 15 : 20;
  if (patches <= 300) return width < 560 ? 12 : 15;
  if (patches <= CROPS) return 11;
  return patches <= 3000 ? 6 : 4;
}

function shortened(text) {
  const characters = [...text]; // code points: emoji stay whole
  return characters.length > 24 ? characters.slice(0, 23).join("") + "…" : text;
}

function sheet(width, height, ratio) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * ratio);
  canvas.height = Math.ceil(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return [canvas, pen];
}

function outline(pen, kind, x, y, reach) {
  pen.beginPath();
  if (isOfImage(kind)) pen.rect(x - reach * 0.9, y - reach * 0.9, reach * 1.8, reach * 1.8);
  else if (kind === "text") pen.arc(x, y, reach, 0, TAU);
  else if (kind === "answer") {
    pen.moveTo(x, y - reach * 1.2);
    pen.lineTo(x + reach * 1.15, y + reach * 0.9);
    pen.lineTo(x - reach * 1.15, y + reach * 0.9);
    pen.closePath();
  } else {
    pen.moveTo(x, y - reach * 1.25);
    pen.lineTo(x + reach * 1.25, y);
    pen.lineTo(x, y + reach * 1.25);
    pen.lineTo(x - reach * 1.25, y);
    pen.closePath();
  }
}

// One mark of a kind, with a rim in the page's own colour that parts marks lying on each other; what
// has no place in the picture is hollow.
function sprite(kind, color, reach, back, ratio) {
  const side = 2 * Math.ceil(reach * 1.4 + 2);
  const [canvas, pen] = sheet(side, side, ratio);
  outline(pen, kind, side / 2, side / 2, reach);
  const isHollow = kind === "placeless";
  pen.fillStyle = isHollow ? back : color;
  pen.fill();
  pen.lineWidth = isHollow ? 1.5 : 1;
  pen.strokeStyle = isHollow ? color : back;
  pen.stroke();
  return { canvas, side };
}

function cropOf(pen, map, picture, mark, x, y, side) {
  const [left, top, right, bottom] = map.boxes.subarray(4 * mark, 4 * mark + 4);
  const wide = picture.naturalWidth / map.size[0];
  const high = picture.naturalHeight / map.size[1];
  const box = [left * wide, top * high, (right - left) * wide, (bottom - top) * high];
  pen.drawImage(picture, ...box, x, y, side, side);
}

// All patches' own pieces of the picture on one sheet, framed in orange: mark -> its column.
function cropSheet(map, picture, marks, side, ratio) {
  const [canvas, pen] = sheet(side * marks.length, side, ratio);
  pen.strokeStyle = map.colors.image;
  pen.lineWidth = side > 12 ? 1.5 : 1;
  const inset = pen.lineWidth / 2;
  marks.forEach((mark, column) => {
    cropOf(pen, map, picture, mark, column * side, 0, side);
    pen.strokeRect(column * side + inset, inset, side - 2 * inset, side - 2 * inset);
  });
  return { canvas, side, column: new Map(marks.map((mark, column) => [mark, column])) };
}

class Painter {
  constructor(map, picture, theme, ratio, width) {
    Object.assign(this, { map, picture, theme, ratio });
    // Painted in this order: words on top.
    this.byKind = { image: [], placeless: [], special: [], text: [], answer: [] };
    map.kinds.forEach((kind, mark) => this.byKind[kind].push(mark));
    this.side = cropSide(this.byKind.image.length + this.byKind.placeless.length, width);
    const few = map.nTokens <= 2000;
    const reaches = { image: this.side / 2, placeless: this.side / 2, special: few ? 4.5 : 4, text: few ? 5.5 : 4.5, answer: few ? 6 : 5 };
    this.sprites = Object.fromEntries(
      Object.entries(reaches).map(([kind, reach]) => [kind, sprite(kind, map.colors[kind], reach, theme.back, ratio)]),
    );
    this.crops = this.preparedCrops();
    this.font = `600 13px ${theme.font}`;
    this.labels = new Labels();
    this.widths = new Map();
  }

  preparedCrops() {
    const placed = this.byKind.image.filter((mark) => !Number.isNaN(this.map.boxes[4 * mark]));
    if (!this.picture || !placed.length || placed.length > CROPS) return null;
    return cropSheet(this.map, this.picture, placed, this.side, this.ratio);
  }

  mark(pen, mark, x, y) {
    const kind = this.map.kinds[mark];
    const column = this.crops?.column.get(mark);
    if (column === undefined) {
      const { canvas, side } = this.sprites[kind];
      pen.drawImage(canvas, x - side / 2, y - side / 2, side, side);
      return;
    }
    const { canvas, side } = this.crops;
    const wide = side * this.ratio;
    pen.drawImage(canvas, column * wide, 0, wide, wide, x - side / 2, y - side / 2, side, side);
  }

  // Filled rectangles take an eighth of the time that prepared pictures do.
  squares(pen, marks, spots) {
    const { side } = this;
    pen.globalAlpha *= 0.6; // so many lie on each other; words must show through
    pen.fillStyle = this.map.colors.image;
    for (const mark of marks) {
      pen.fillRect(spots[2 * mark] - side / 2, spots[2 * mark + 1] - side / 2, side, side);
    }
  }

  // view: {spots, placed, at, hovered, selected, near, width, height}
  paint(pen, view) {
    const lit = new Set([...view.selected, ...view.near.map(({ mark }) => mark)]);
    for (const [kind, marks] of Object.entries(this.byKind)) {
      pen.globalAlpha = lit.size ? 0.75 : 1;
      if (isOfImage(kind) && marks.length > CROPS) this.squares(pen, marks, view.spots);
      else for (const mark of marks) this.mark(pen, mark, view.spots[2 * mark], view.spots[2 * mark + 1]);
    }
    pen.globalAlpha = 1;
    this.ties(pen, view);
    this.obstacles = []; // labels keep off them
    for (const mark of view.selected) this.path(pen, view, mark, 1);
    const pointed = view.hovered;
    if (pointed !== null && !view.selected.includes(pointed)) this.path(pen, view, pointed, 0.5);
    for (const mark of lit) this.mark(pen, mark, view.spots[2 * mark], view.spots[2 * mark + 1]);
    this.rings(pen, view);
    this.names(pen, view, lit);
  }

  ties(pen, { spots, selected, near }) {
    const from = selected.at(-1);
    pen.setLineDash([2, 4]);
    pen.lineWidth = 1;
    for (const { mark } of near) {
      pen.strokeStyle = this.map.colors[this.map.kinds[mark]];
      pen.beginPath();
      pen.moveTo(spots[2 * from], spots[2 * from + 1]);
      pen.lineTo(spots[2 * mark], spots[2 * mark + 1]);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  // The way through the layers: faint at the embeddings, strong at the end.
  path(pen, { placed, at }, mark, strength) {
    const { nTokens, nStates, kinds, colors } = this.map;
    const spot = (state) => [placed[2 * (state * nTokens + mark)], placed[2 * (state * nTokens + mark) + 1]];
    pen.strokeStyle = pen.fillStyle = colors[kinds[mark]];
    pen.lineWidth = 2;
    for (let state = 0; state < nStates; state++) {
      pen.globalAlpha = strength * (0.3 + (0.7 * state) / Math.max(1, nStates - 1));
      pen.beginPath();
      pen.arc(...spot(state), 2.6, 0, TAU);
      pen.fill();
      if (state + 1 === nStates) break;
      pen.beginPath();
      pen.moveTo(...spot(state));
      pen.lineTo(...spot(state + 1));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    if (strength === 1) this.ends(pen, spot, at);
  }

  // Where the way begins and ends, unless the mark itself stands there with its own label.
  ends(pen, spot, at) {
    pen.font = `500 11px ${this.theme.font}`;
    pen.textBaseline = "middle";
    for (const state of [0, this.map.nStates - 1]) {
      if (Math.abs(at - state) < 0.75) continue;
      const [x, y] = spot(state);
      const name = this.map.stateNames[state];
      this.written(pen, name, x + 7, y + 11, 0.8);
      this.obstacles.push({ left: x + 7, right: x + 7 + pen.measureText(name).width, top: y + 4, bottom: y + 18 });
    }
  }

  rings(pen, { spots, hovered, selected, near }) {
    const ring = (mark, width, gap) => {
      const kind = this.map.kinds[mark];
      const reach = isOfImage(kind) ? this.side / 2 / 0.9 : 6;
      outline(pen, kind, spots[2 * mark], spots[2 * mark + 1], reach + gap);
      pen.lineWidth = width;
      pen.strokeStyle = this.map.colors[kind];
      pen.stroke();
    };
    for (const { mark } of near) ring(mark, 1.25, 1.5);
    for (const mark of selected) ring(mark, 2.5, 3);
    if (hovered !== null) {
      this.mark(pen, hovered, spots[2 * hovered], spots[2 * hovered + 1]);
      ring(hovered, 2, 2);
    }
  }

  names(pen, view, lit) {
    pen.font = this.font;
    pen.textBaseline = "middle";
    const marks = this.named(view, lit);
    for (const mark of marks) this.measure(pen, mark);
    const wanted = new Set([...lit, view.hovered]);
    const labels = this.labels.place(marks, view, this.widths, this.obstacles, wanted);
    for (const { mark, x, y } of labels) {
      const isLit = !lit.size || lit.has(mark) || mark === view.hovered;
      this.written(pen, shortened(this.map.texts[mark]), x, y, isLit ? 1 : 0.75);
    }
  }

  // The labels to be drawn, the most wanted first: they get the best places.
  named({ selected, near, hovered }, lit) {
    const isWord = (mark) => !isOfImage(this.map.kinds[mark]);
    const first = [...selected, ...near.map(({ mark }) => mark)].filter(isWord);
    if (hovered !== null && isWord(hovered) && !lit.has(hovered)) first.push(hovered);
    const { answer, text, special } = this.byKind;
    const others = [answer, [...answer, ...text], [...answer, ...text, ...special]].findLast(
      (marks) => marks.length <= LABELLED,
    );
    if (!others) return first;
    return [...first, ...others.filter((mark) => !first.includes(mark))];
  }

  measure(pen, mark) {
    const width = () => pen.measureText(shortened(this.map.texts[mark])).width;
    if (!this.widths.has(mark)) this.widths.set(mark, width());
  }

  written(pen, text, x, y, alpha) {
    pen.globalAlpha = alpha;
    pen.lineWidth = 3.5;
    pen.lineJoin = "round";
    pen.strokeStyle = this.theme.back;
    pen.strokeText(text, x, y);
    pen.fillStyle = this.theme.text;
    pen.fillText(text, x, y);
    pen.globalAlpha = 1;
  }
}
