// Pointing, clicking, dragging and the keyboard, over picture and words alike.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function listenToPointer(state) {
  const stage = state.find(".stage");
  const words = state.find(".words");
  for (const place of [stage, words]) {
    const tokenAt = place === stage ? (event) => patchUnder(state, event) : (event) => wordUnder(state, event);
    place.addEventListener("pointermove", (event) => movePointer(state, event, tokenAt(event)));
    place.addEventListener("pointerdown", (event) => pressPointer(state, event, tokenAt(event), place));
    place.addEventListener("pointerup", () => releasePointer(state));
    place.addEventListener("pointercancel", () => dropPointer(state));
    place.addEventListener("pointerleave", () => point(state, null));
    place.addEventListener("keydown", (event) => pressKey(state, event, place === stage));
    // Space plays; without this a focused chip would also take it as a click.
    place.addEventListener("keyup", (event) => event.key === " " && event.preventDefault());
  }
  // A click without a press comes from the keyboard or from assistive technology.
  words.addEventListener("click", (event) => {
    const token = wordUnder(state, event);
    if (event.detail === 0 && token !== null) pin(state, [token], event.shiftKey);
  });
}

function positionIn(state, event) {
  const frame = state.find("canvas.map").getBoundingClientRect();
  const [width, height] = state.data.size;
  return [((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height];
}

function patchUnder(state, event) {
  return patchAt(state.data, ...positionIn(state, event));
}

function wordUnder(state, event) {
  // While a finger or a pressed button is captured by one chip, the event's target stays that chip.
  const under = state.drag ? state.root.elementFromPoint(event.clientX, event.clientY) : event.target;
  const token = under?.dataset?.token;
  return token === undefined ? null : Number(token);
}

function movePointer(state, event, token) {
  if (state.drag) extendDrag(state, event, token);
  else point(state, token);
  placeTip(state, event);
}

function pressPointer(state, event, token, place) {
  if (event.button !== 0 || token === null) return;
  stop(state);
  const isPatch = place === state.find(".stage");
  state.drag = {
    from: token,
    start: isPatch ? positionIn(state, event) : null,
    adds: event.shiftKey || event.ctrlKey || event.metaKey,
    tokens: [token],
  };
  place.setPointerCapture?.(event.pointerId);
}

function extendDrag(state, event, token) {
  const { drag } = state;
  const tokens = drag.start ? patchesBetween(state, drag.start, positionIn(state, event)) : wordsBetween(state, drag.from, token);
  if (!tokens.length || tokens.join() === drag.tokens.join()) return;
  drag.tokens = tokens;
  draw(state);
}

function patchesBetween({ data }, [x, y], [toX, toY]) {
  return patchesTouching(data, [Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY)]);
}

function wordsBetween(state, from, to) {
  if (to === null) return state.drag.tokens;
  const order = [...state.chips.keys()];
  const [first, last] = [order.indexOf(from), order.indexOf(to)].sort((a, b) => a - b);
  return order.slice(first, last + 1);
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

function point(state, token) {
  if (token === state.pointed) return;
  state.pointed = token;
  if (token !== null) stop(state);
  draw(state);
}

// Pins these tokens; `adds` joins them to those pinned, or takes a single one out again. A second
// click on what alone is pinned lets go.
function pin(state, tokens, adds) {
  const old = state.selection.tokens;
  let next = tokens;
  if (adds && tokens.length === 1 && old.includes(tokens[0])) next = old.filter((token) => token !== tokens[0]);
  else if (adds) next = [...new Set([...old, ...tokens])].sort((a, b) => a - b);
  else if (tokens.length === 1 && old.length === 1 && old[0] === tokens[0]) next = [];
  select(state, { tokens: next });
}

function pressKey(state, event, isPicture) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own shortcuts
  if (event.key === "Escape") letGo(state);
  else if (event.key === " ") play(state);
  else if (event.key in ARROWS) step(state, ARROWS[event.key], event.shiftKey, isPicture);
  else return;
  event.preventDefault();
}

function letGo(state) {
  stop(state);
  state.pointed = null;
  select(state, { tokens: [] });
}

function step(state, direction, adds, isPicture) {
  stop(state);
  state.pointed = null;
  const next = isPicture ? nextPatch(state, direction) : nextWord(state, direction);
  if (next === null) return;
  select(state, { tokens: adds ? [...new Set([...state.selection.tokens, next])] : [next] });
  if (!isPicture) state.chips.get(next).focus();
}

// The last pinned token leads, so that Shift and the arrows walk on from the one added last.
function nextPatch({ data, selection }, direction) {
  const from = selection.tokens.findLast((token) => data.boxes[token]);
  return from === undefined ? data.boxes.findIndex(Boolean) : patchBeside(data, from, direction);
}

function nextWord({ chips, selection, words }, [stepX, stepY]) {
  const order = [...chips.keys()];
  const from = selection.tokens.findLast((token) => chips.has(token));
  if (from === undefined) return words[0] ?? order[0];
  return order[order.indexOf(from) + (stepX || stepY)] ?? null;
}
