// Pointing, clicking, dragging and the keyboard, over picture and words alike.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function listenToPointer(state) {
  const stage = state.find(".stage");
  const lists = state.find(".lists");
  for (const place of [stage, lists]) {
    const under = place === stage ? (event) => patchUnder(state, event) : (event) => wordUnder(state, event);
    place.addEventListener("pointermove", (event) => movePointer(state, event, under));
    place.addEventListener("pointerdown", (event) => pressPointer(state, event, under, place));
    place.addEventListener("pointerup", () => releasePointer(state));
    place.addEventListener("pointercancel", () => dropPointer(state));
    place.addEventListener("pointerleave", () => point(state, null));
    place.addEventListener("keydown", (event) => pressKey(state, event, place === stage));
    // Space plays; without this a focused chip would also take it as a click.
    place.addEventListener("keyup", (event) => event.key === " " && !isFold(event) && event.preventDefault());
  }
  // A click without a press comes from the keyboard or from assistive technology.
  lists.addEventListener("click", (event) => {
    const found = state.tables && wordUnder(state, event);
    if (event.detail === 0 && found && found.table === asking(state)) pin(state, [found.token], event.shiftKey);
  });
}

function isFold(event) {
  return Boolean(event.target.closest?.(".fold"));
}

function positionIn(state, event) {
  const frame = state.find("canvas.map").getBoundingClientRect();
  const [width, height] = state.data.size;
  return [((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height];
}

// Of two streams with patches the one that is asked, unless values are read.
function patchUnder(state, event) {
  const sides = [asking(state), answering(state)];
  if (state.options.pointing === "reads") sides.reverse();
  const table = sides.find(hasPatches);
  const token = table ? patchAt(table, shownPatches(state, table), ...positionIn(state, event)) : null;
  return token === null ? null : { table, token };
}

function wordUnder(state, event) {
  // While a finger or a pressed button is captured by one chip, the event's target stays that chip.
  const under = state.drag ? state.root.elementFromPoint(event.clientX, event.clientY) : event.target;
  const token = under?.dataset?.token;
  if (token === undefined) return null;
  return { table: state.tables[under.closest("[data-side]").dataset.side], token: Number(token) };
}

function movePointer(state, event, under) {
  if (!state.tables) return;
  if (state.drag) extendDrag(state, event, under);
  else point(state, under(event));
  placeTip(state, event);
}

function pressPointer(state, event, under, place) {
  const found = state.tables && event.button === 0 ? under(event) : null;
  // Only what is asked can be pinned; the other side answers.
  if (!found || found.table !== asking(state)) return;
  stop(state);
  const isPatch = place === state.find(".stage");
  state.drag = {
    from: found.token,
    start: isPatch ? positionIn(state, event) : null,
    adds: event.shiftKey || event.ctrlKey || event.metaKey,
    tokens: [found.token],
  };
  place.setPointerCapture?.(event.pointerId);
}

function extendDrag(state, event, under) {
  const { drag } = state;
  const tokens = drag.start ? patchesBetween(state, drag.start, positionIn(state, event)) : wordsBetween(state, drag, under(event));
  if (!tokens.length || tokens.join() === drag.tokens.join()) return;
  drag.tokens = tokens;
  draw(state);
}

function patchesBetween(state, [x, y], [toX, toY]) {
  const table = asking(state);
  const area = [Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY)];
  return patchesTouching(table, shownPatches(state, table), area);
}

function wordsBetween(state, { from, tokens }, to) {
  if (!to || to.table !== asking(state)) return tokens;
  const order = visibleChips(asking(state));
  const [first, last] = [order.indexOf(from), order.indexOf(to.token)].sort((a, b) => a - b);
  return order.slice(first, last + 1);
}

function visibleChips({ chips }) {
  return [...chips].filter(([, chip]) => !chip.hidden).map(([token]) => token);
}

function releasePointer(state) {
  const { drag } = state;
  if (!drag) return;
  state.drag = null;
  state.pointed = null;
  pin(state, drag.tokens, drag.adds);
}

function dropPointer(state) {
  state.drag = null;
  state.pointed = null;
  draw(state);
}

function point(state, found) {
  const { pointed } = state;
  if (found?.token === pointed?.token && found?.table === pointed?.table) return;
  state.pointed = found;
  if (found !== null) stop(state);
  draw(state);
}

// Pins these tokens; `adds` joins them to those pinned, or takes a single one out again. A second
// click on what alone is pinned lets go.
function pin(state, tokens, adds) {
  const old = pinnedOf(state);
  let next = tokens;
  if (adds && tokens.length === 1 && old.includes(tokens[0])) next = old.filter((token) => token !== tokens[0]);
  else if (adds) next = [...new Set([...old, ...tokens])].sort((a, b) => a - b);
  else if (tokens.length === 1 && old.length === 1 && old[0] === tokens[0]) next = [];
  select(state, { [pinnedField(state)]: next });
}

function pressKey(state, event, isPicture) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own shortcuts
  if (!state.tables || (event.key === " " && isFold(event))) return;
  if (event.key === "Escape") letGo(state);
  else if (event.key === " ") play(state);
  else if (event.key in ARROWS) step(state, ARROWS[event.key], event.shiftKey, isPicture);
  else return;
  event.preventDefault();
}

function letGo(state) {
  stop(state);
  state.pointed = null;
  select(state, { [pinnedField(state)]: [] });
}

function step(state, direction, adds, isPicture) {
  stop(state);
  state.pointed = null;
  const next = isPicture ? nextPatch(state, direction) : nextWord(state, direction);
  if (next === null) return;
  const pinned = adds ? [...new Set([...pinnedOf(state), next])] : [next];
  select(state, { [pinnedField(state)]: pinned });
  if (!isPicture) asking(state).chips.get(next).focus();
}

// The last pinned token leads, so that Shift and the arrows walk on from the one added last.
function nextPatch(state, direction) {
  const table = asking(state);
  const patches = shownPatches(state, table);
  const from = pinnedOf(state).findLast((token) => patches.includes(token));
  if (from !== undefined) return patchBeside(table, patches, from, direction);
  return patches.length ? Math.min(...patches) : null;
}

function nextWord(state, [stepX, stepY]) {
  const table = asking(state);
  const order = visibleChips(table);
  const from = pinnedOf(state).findLast((token) => order.includes(token));
  if (from === undefined) return table.words[0] ?? order[0] ?? null;
  return order[order.indexOf(from) + (stepX || stepY)] ?? null;
}
