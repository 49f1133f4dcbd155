// The message that __init__.py writes, as the map draws it.

// {...header, values, means, rank, own, notes}: layer x head in rows, null for what is missing.
function decoded(bytes) {
  const { head, part } = unpacked(bytes);
  const floats = (name) => new Float32Array(part(name).buffer);
  const rows = (flat) => head.layers.map((_, layer) => flat.slice(layer * head.heads, (layer + 1) * head.heads));
  const known = (flat) => Array.from(flat, (value) => (Number.isNaN(value) ? null : value));
  const values = known(floats("values"));
  const size = values.length;
  const notes = known(floats("notes"));
  return {
    ...head,
    values: rows(values),
    means: known(floats("means")),
    pattern: rows(part("pattern")),
    own: head.ownUnit === null ? null : rows(known(floats("own"))),
    which: head.parts.which[1] ? rows(part("which")) : null,
    notes: Array.from({ length: head.nNotes }, (_, i) => rows(notes.slice(i * size, (i + 1) * size))),
    rank: rows(ranks(values, head.first)),
    nRanked: values.filter((value) => value !== null).length,
  };
}

// 1 for the highest value, the lowest, or the largest on either side of 0; equal ones share a rank, missing ones have 0.
const HEIGHTS = { highest: (value) => value, lowest: (value) => -value, largest: Math.abs };
function ranks(values, first) {
  const height = (place) => HEIGHTS[first](values[place]);
  const order = values.flatMap((value, place) => (value === null ? [] : [place]));
  order.sort((one, other) => height(other) - height(one));
  const found = new Array(values.length).fill(0);
  order.forEach((place, i) => {
    const before = order[i - 1];
    found[place] = i > 0 && height(before) === height(place) ? found[before] : i + 1;
  });
  return found;
}
