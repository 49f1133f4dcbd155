// The map over the picture: patches from their boxes (any boxes), in blocks or smoothed.
const RASTER = 160; // pixels on the longer side of the grid that smooth maps are computed on
const UNSEEN = "rgba(15,23,42,0.72)"; // over what no patch covers
const NAME = 12; // pixels of the names of boxes
const LONGEST_NAME = 24; // characters
const ALL = 0.995; // of the picture: what rounding leaves uncovered is not worth a word

// Which patch lies where in a raster whose longer side has `side` pixels.
function rasterOf({ boxes }, patches, [width, height], side) {
  const scale = side / Math.max(width, height);
  const columns = Math.max(1, Math.round(width * scale));
  const rows = Math.max(1, Math.round(height * scale));
  const owner = new Int32Array(columns * rows).fill(-1);
  for (const token of patches) {
    const [left, top, right, bottom] = boxes[token].map((edge) => Math.round(edge * scale));
    for (let y = top; y < Math.min(bottom, rows); y++) owner.fill(token, y * columns + left, y * columns + Math.min(right, columns));
  }
  return { columns, rows, owner, scale };
}

// The raster of the patches on show, remembered for each view and size.
function shownRaster(state, side) {
  const table = answering(state);
  const name = `${shownView(state, table)}/${side}`;
  table.rasters ??= new Map();
  if (!table.rasters.has(name)) table.rasters.set(name, rasterOf(table, shownPatches(state, table), state.data.size, side));
  return table.rasters.get(name);
}

function medianSize({ boxes }, patches) {
  const sizes = patches.map((token) => boxes[token]).map(([left, top, right, bottom]) => (right - left + bottom - top) / 2);
  return sizes.sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
}

// A running mean of `radius` pixels to each side, along rows (step 1) or columns (step columns).
function blurLine(from, to, start, step, count, radius) {
  let sum = 0;
  for (let i = 0; i < Math.min(radius, count); i++) sum += from[start + i * step];
  for (let i = 0; i < count; i++) {
    if (i + radius < count) sum += from[start + (i + radius) * step];
    if (i - radius - 1 >= 0) sum -= from[start + (i - radius - 1) * step];
    to[start + i * step] = sum;
  }
}

// Three running means come close to a Gaussian.
function blur(values, columns, rows, radius) {
  let from = values;
  let to = new Float32Array(values.length);
  for (let pass = 0; pass < 3; pass++) {
    for (let y = 0; y < rows; y++) blurLine(from, to, y * columns, 1, columns, radius);
    [from, to] = [to, from];
    for (let x = 0; x < columns; x++) blurLine(from, to, x, columns, rows, radius);
    [from, to] = [to, from];
  }
  return from;
}

// Values blurred over the raster and divided by the blurred coverage, so that edges do not fade.
function smoothed(raster, values, radius) {
  const spread = Float32Array.from(raster.owner, (token) => (token < 0 ? 0 : values[token]));
  raster.coverage ??= blur(Float32Array.from(raster.owner, (token) => (token < 0 ? 0 : 1)), raster.columns, raster.rows, radius);
  return blur(spread, raster.columns, raster.rows, radius).map((sum, i) => (raster.coverage[i] > 0 ? sum / raster.coverage[i] : 0));
}

function placeOf(box, scale) {
  const [left, top, right, bottom] = box.map((edge) => Math.round(edge * scale));
  return [left, top, right - left, bottom - top];
}

function drawBlocks(context, { boxes }, patches, values, top, scale, colors) {
  for (const token of patches) {
    context.fillStyle = colors[levelOf(values[token], top)];
    context.fillRect(...placeOf(boxes[token], scale));
  }
}

function drawSmooth(context, state, values, top, colors) {
  const raster = shownRaster(state, RASTER);
  const table = answering(state);
  const radius = Math.max(1, Math.round((medianSize(table, shownPatches(state, table)) * raster.scale) / 4));
  const field = smoothed(raster, values, radius);
  const small = (raster.canvas ??= new OffscreenCanvas(raster.columns, raster.rows));
  const ink = small.getContext("2d");
  const image = ink.createImageData(raster.columns, raster.rows);
  for (let i = 0; i < field.length; i++) {
    if (raster.owner[i] < 0) continue;
    const level = levelOf(field[i], top);
    image.data.set(LEVEL_RGB[level], 4 * i);
    image.data[4 * i + 3] = colors === LEVEL_OVERLAY ? 255 * opacity(level) : 255;
  }
  ink.putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
}

// Darkens what none of these patches covers: the model did not see it.
function drawUnseen(context, { boxes }, patches, scale) {
  context.fillStyle = UNSEEN;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  for (const token of patches) context.clearRect(...placeOf(boxes[token], scale));
}

// The edges of these boxes that no other of them shares, so that a group has one outline.
function outerEdges(boxes) {
  const edges = boxes.flatMap(([left, top, right, bottom]) => [
    { x: [left, left], y: [top, bottom], facing: [2, left] },
    { x: [right, right], y: [top, bottom], facing: [0, right] },
    { x: [left, right], y: [top, top], facing: [3, top] },
    { x: [left, right], y: [bottom, bottom], facing: [1, bottom] },
  ]);
  return edges.filter(({ x, y, facing: [side, place] }) =>
    !boxes.some((box) => Math.abs(box[side] - place) < 0.5 && box[0] <= x[0] && box[2] >= x[1] && box[1] <= y[0] && box[3] >= y[1]));
}

// White on a dark edge is seen on any picture; dashes tell pointed patches from pinned ones.
function outline(context, boxes, scale, ratio, dashed) {
  const edges = new Path2D();
  for (const { x, y } of outerEdges(boxes)) {
    edges.moveTo(x[0] * scale, y[0] * scale);
    edges.lineTo(x[1] * scale, y[1] * scale);
  }
  context.lineCap = "square";
  for (const [color, width] of [["#000", 4.5], ["#fff", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width * ratio;
    context.setLineDash(dashed && color === "#fff" ? [5 * ratio, 5 * ratio] : []);
    context.stroke(edges);
  }
}

// The side whose patches stand for the picture: the one that answers, or the one that can be asked.
function picturedTable(state) {
  return [answering(state), asking(state)].find(hasPatches) ?? null;
}

function isPartlyUnseen(state) {
  const table = picturedTable(state);
  return table !== null && table.covered[shownView(state, table)] < ALL;
}

// Boxes are there from the start where the text calls what is in them by numbers.
function showsRegions({ data, options }) {
  return (options.regions ?? (data.showsRegions ? "shown" : "hidden")) === "shown";
}

// A thin colored line on a darker one, with the name above the box, or in it where there is no room.
function drawRegion(context, { label, box, color }, scale, ratio) {
  const [left, top, width, height] = placeOf(box, scale);
  for (const [ink, thickness] of [["rgba(17,24,39,0.75)", 4], [color, 2]]) {
    context.strokeStyle = ink;
    context.lineWidth = thickness * ratio;
    context.strokeRect(left, top, width, height);
  }
  context.font = `600 ${NAME * ratio}px sans-serif`;
  const name = label.length > LONGEST_NAME ? `${label.slice(0, LONGEST_NAME - 1)}…` : label;
  const [wide, high] = [context.measureText(name).width + 8 * ratio, (NAME + 5) * ratio];
  const x = Math.max(0, Math.min(left, context.canvas.width - wide));
  const y = top >= high ? top - high : top;
  context.fillStyle = color;
  context.fillRect(x, y, wide, high);
  context.fillStyle = "#111827";
  context.textBaseline = "middle";
  context.fillText(name, x + 4 * ratio, y + high / 2);
}

function drawRegions(state, context, scale, ratio) {
  context.setLineDash([]);
  for (const region of state.data.regions) drawRegion(context, region, scale, ratio);
}

function drawPicture(state, context, values, top, ratio) {
  const { data, options } = state;
  const scale = context.canvas.width / data.size[0];
  const colors = options.picture === "hidden" ? LEVEL_COLOR : LEVEL_OVERLAY;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const pictured = picturedTable(state);
  if (isPartlyUnseen(state)) drawUnseen(context, pictured, shownPatches(state, pictured), scale);
  const table = answering(state);
  if (options.patches === "smooth") drawSmooth(context, state, values, top, colors);
  else drawBlocks(context, table, shownPatches(state, table), values, top, scale, colors);
  const boxesOf = (tokens) => {
    const there = asking(state);
    const view = shownView(state, there);
    return tokens.filter((token) => there.viewOf[token] === view).map((token) => there.boxes[token]).filter(Boolean);
  };
  if (showsRegions(state)) drawRegions(state, context, scale, ratio);
  outline(context, boxesOf(pinnedOf(state)), scale, ratio, false);
  outline(context, boxesOf(touchedTokens(state)), scale, ratio, true);
}

// The topmost patch at a point given in the picture's pixels, or null beside all of them.
function patchAt({ boxes }, patches, x, y) {
  const found = patches.findLast((token) => {
    const [left, top, right, bottom] = boxes[token];
    return x >= left && x < right && y >= top && y < bottom;
  });
  return found ?? null;
}

function patchesTouching({ boxes }, patches, [left, top, right, bottom]) {
  return patches
    .filter((token) => {
      const box = boxes[token];
      return box[0] < right && box[2] > left && box[1] < bottom && box[3] > top;
    })
    .sort((a, b) => a - b);
}

// The nearest patch in a direction, preferring those straight ahead; null at the edge.
function patchBeside({ boxes }, patches, token, [stepX, stepY]) {
  const middle = ([left, top, right, bottom]) => [(left + right) / 2, (top + bottom) / 2];
  const [x, y] = middle(boxes[token]);
  let best = null;
  let least = Infinity;
  for (const other of patches) {
    if (other === token) continue;
    const [otherX, otherY] = middle(boxes[other]);
    const ahead = (otherX - x) * stepX + (otherY - y) * stepY;
    const aside = Math.abs((otherX - x) * stepY) + Math.abs((otherY - y) * stepX);
    if (ahead <= 0 || aside > ahead || ahead + 2 * aside >= least) continue;
    best = other;
    least = ahead + 2 * aside;
  }
  return best;
}
