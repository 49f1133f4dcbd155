// Where marks and labels lie on the canvas, in CSS pixels.

const MARGIN = { left: 20, right: 20, top: 38, bottom: 36 };
const LABELLED = 80; // more words than this are named only when they are pointed at
const CROWD = 40; // of more labels those are left out that would cover others

// state x token x 2 in pixels: one scale for both axes, or distances would be bent.
function pixels(map, width, height) {
  const placed = new Float32Array(map.points.length);
  const size = map.nTokens * 2;
  const shared = map.sharesScale ? bounds(map.points) : null;
  for (let state = 0; state < map.nStates; state++) {
    const points = map.points.subarray(state * size, (state + 1) * size);
    const { left, right, bottom, top } = shared ?? bounds(points);
    const wide = width - MARGIN.left - MARGIN.right;
    const high = height - MARGIN.top - MARGIN.bottom;
    const scale = Math.min(wide / (right - left || 1), high / (top - bottom || 1));
    const x0 = MARGIN.left + wide / 2 - (scale * (left + right)) / 2;
    const y0 = MARGIN.top + high / 2 + (scale * (top + bottom)) / 2;
    for (let i = 0; i < size; i += 2) {
      placed[state * size + i] = x0 + scale * points[i];
      placed[state * size + i + 1] = y0 - scale * points[i + 1];
    }
  }
  return placed;
}

function bounds(points) {
  const edge = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (let i = 0; i < points.length; i += 2) {
    edge.left = Math.min(edge.left, points[i]);
    edge.right = Math.max(edge.right, points[i]);
    edge.bottom = Math.min(edge.bottom, points[i + 1]);
    edge.top = Math.max(edge.top, points[i + 1]);
  }
  return edge;
}

// Positions between two states, into `out` (token x 2).
function between(placed, nTokens, at, out) {
  const size = nTokens * 2;
  const last = placed.length / size - 1;
  const low = Math.min(Math.floor(at), last);
  const a = low * size;
  const b = Math.min(low + 1, last) * size;
  const share = at - low;
  for (let i = 0; i < size; i++) out[i] = placed[a + i] * (1 - share) + placed[b + i] * share;
  return out;
}

// The mark under the pointer; words win over the patches that they lie on.
function hit(map, spots, x, y, reach) {
  let best = null;
  let least = reach * reach;
  for (let i = 0; i < map.nTokens; i++) {
    const favour = isOfImage(map.kinds[i]) ? 0 : 30;
    const distance = (spots[2 * i] - x) ** 2 + (spots[2 * i + 1] - y) ** 2 - favour;
    if (distance < least) [least, best] = [distance, i];
  }
  return best;
}

// Sideways and down: beside the mark first, then above and below, last a line farther away.
const SIDES = [
  ...[[1, 0], [-1, 0], [1, -1], [1, 1], [-1, -1], [-1, 1], [0, -1], [0, 1]],
  ...[[1, -2], [1, 2], [-1, -2], [-1, 2], [0, -2], [0, 2]],
];
const GAP = 9;
const LINE = 15;

// Labels go beside their marks, on the side that covers least; a label stays on its side while it
// can, so that it does not hop about while the points glide.
class Labels {
  constructor() {
    this.sides = new Map();
    this.offsets = new Map();
    this.areMoving = false;
  }

  // marks: most important first. wanted: those whose labels are never left out, as others are in a
  // crowd where they would cover much. Returns [{mark, x, y}], x, y being the label's left and middle.
  place(marks, { spots, width, height }, widths, obstacles, wanted) {
    const taken = marks.map((mark) => around(spots[2 * mark], spots[2 * mark + 1], 7));
    taken.push(...obstacles);
    this.areMoving = false;
    return marks.map((mark) => {
      const [side, cost] = this.best(mark, spots, widths.get(mark), taken, width, height);
      this.sides.set(mark, side);
      if (marks.length > CROWD && !wanted.has(mark) && cost > 0.3 * LINE * widths.get(mark)) return null;
      const goal = shift(side, widths.get(mark));
      taken.push(box(spots, mark, goal, widths.get(mark)));
      const [dx, dy] = this.towards(mark, goal);
      return { mark, x: spots[2 * mark] + dx, y: spots[2 * mark + 1] + dy };
    }).filter(Boolean);
  }

  towards(mark, goal) {
    const [x, y] = this.offsets.get(mark) ?? goal;
    const isThere = Math.abs(goal[0] - x) + Math.abs(goal[1] - y) < 0.5;
    const offset = isThere ? goal : [x + (goal[0] - x) * 0.25, y + (goal[1] - y) * 0.25];
    this.offsets.set(mark, offset);
    this.areMoving ||= !isThere;
    return offset;
  }

  best(mark, spots, labelWidth, taken, width, height) {
    const last = this.sides.get(mark);
    const order = last ? [last, ...SIDES.filter((side) => side !== last)] : SIDES;
    let chosen = order[0];
    let least = Infinity;
    for (const side of order) {
      const area = box(spots, mark, shift(side, labelWidth), labelWidth);
      let cost = taken.reduce((sum, other) => sum + overlap(area, other), 0);
      if (area.left < 2 || area.right > width - 2 || area.top < 2 || area.bottom > height - 2) {
        cost += 1e4;
      }
      // A new side must be clearly better than the present one.
      if (cost < least - (side === last ? 0 : 20)) [least, chosen] = [cost, side];
      if (least === 0) break;
    }
    return [chosen, least];
  }
}

function shift([sideways, down], width) {
  const x = sideways > 0 ? GAP : sideways < 0 ? -GAP - width : -width / 2;
  return [x, down * (sideways ? LINE * 0.75 : LINE)];
}

function box(spots, mark, [dx, dy], width) {
  const left = spots[2 * mark] + dx;
  const middle = spots[2 * mark + 1] + dy;
  return { left, right: left + width, top: middle - LINE / 2, bottom: middle + LINE / 2 };
}

function around(x, y, reach) {
  return { left: x - reach, right: x + reach, top: y - reach, bottom: y + reach };
}

function overlap(a, b) {
  const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return wide > 0 && high > 0 ? wide * high : 0;
}
