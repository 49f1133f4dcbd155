// The blob that payload.py writes: a JSON header, then arrays in little-endian order.

const NONE = 65535; // fewer neighbours of that kind than asked for

function decoded(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  // A copy starts at an even address, which typed arrays insist on.
  const part = (name) => bytes.slice(head.parts[name][0], head.parts[name][0] + head.parts[name][1]);
  const picture = head.parts.picture[1] ? new Blob([part("picture")], { type: "image/jpeg" }) : null;
  return {
    ...head,
    points: new Float32Array(part("points").buffer),
    boxes: new Float32Array(part("boxes").buffer),
    neighbours: new Uint16Array(part("neighbours").buffer),
    similarities: new Int16Array(part("similarities").buffer),
    picture,
    nTokens: head.texts.length,
    nStates: head.stateNames.length,
    mark: new Map(head.positions.map((position, mark) => [position, mark])),
  };
}

// The nearest words and patches of a mark at one state: {text, image}, each [{mark, similarity}],
// likest first; null where the blob lists none because there are too many tokens.
function nearest(map, mark, state) {
  if (!map.neighbours.length) return null;
  const start = (mark * map.nStates + state) * 2 * map.count;
  const found = { text: [], image: [] };
  Object.values(found).forEach((list, kind) => {
    for (let at = start + kind * map.count; at < start + (kind + 1) * map.count; at++) {
      if (map.neighbours[at] === NONE) break;
      list.push({ mark: map.neighbours[at], similarity: map.similarities[at] / 32767 });
    }
  });
  return found;
}
