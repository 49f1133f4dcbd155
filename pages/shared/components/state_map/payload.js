// The blob that payload.py writes: a JSON header, then arrays in little-endian order.

const NONE = 65535; // fewer neighbours of that kind than asked for
const STEPS = 65535; // places along the side of the square around the points

function decoded(bytes) {
  const { head, part } = unpacked(bytes);
  const picture = head.parts.picture[1] ? new Blob([part("picture")], { type: "image/jpeg" }) : null;
  const names = Object.keys(head.kindNouns); // text, answer, image, placeless, special
  const kinds = Array.from(part("kinds"), (kind) => names[kind]);
  const positions = new Uint32Array(part("positions").buffer);
  return {
    ...head,
    kinds,
    positions,
    points: restored(new Uint16Array(part("points").buffer), head.edges, kinds.length),
    boxes: new Float32Array(part("boxes").buffer),
    neighbours: new Uint16Array(part("neighbours").buffer),
    similarities: new Int16Array(part("similarities").buffer),
    picture,
    nTokens: kinds.length,
    nStates: head.stateNames.length,
    mark: new Map(Array.from(positions, (position, mark) => [position, mark])),
  };
}

// state x token x 2 in the points' own unit, from steps along the square of their state.
function restored(steps, edges, nTokens) {
  const points = new Float32Array(steps.length);
  edges.forEach(([left, bottom, side], state) => {
    for (let i = 2 * nTokens * state; i < 2 * nTokens * (state + 1); i += 2) {
      points[i] = left + (side * steps[i]) / STEPS;
      points[i + 1] = bottom + (side * steps[i + 1]) / STEPS;
    }
  });
  return points;
}

// The nearest words and patches of a mark at one state: {text, image}, each [{mark, similarity}],
// likest first; null where they are not known. asked: {mark, marks, similarities} of one mark,
// which Python works out where there are too many tokens to list them all.
function nearest(map, mark, state, asked) {
  if (map.neighbours.length) {
    const start = (mark * map.nStates + state) * 2 * map.count;
    return listed(map.neighbours.subarray(start), map.similarities.subarray(start), map.count, 32767);
  }
  if (asked?.mark !== mark) return null;
  return listed(asked.marks[state].flat(), asked.similarities[state].flat(), asked.marks[state][0].length, 1);
}

function listed(marks, similarities, count, scale) {
  const lists = { text: [], image: [] };
  Object.values(lists).forEach((list, kind) => {
    for (let at = kind * count; at < (kind + 1) * count; at++) {
      if (marks[at] === NONE || marks[at] < 0) break;
      list.push({ mark: marks[at], similarity: similarities[at] / scale });
    }
  });
  return lists;
}
