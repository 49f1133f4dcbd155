// The words and other tokens without a place, as chips; those of the side that answers are colored
// by the weight each one gets.
const SIDES = ["queries", "keys"];

// One list where a stream looks at itself, else one for each side.
function buildWords(state) {
  const { tables, find } = state;
  const lists = isSelf(state) ? ["queries"] : SIDES;
  const built = lists.map((side) => wordList(state, tables[side], side));
  find(".lists").replaceChildren(...built.filter(({ table }) => table.chipTokens.length).map(({ section }) => section));
}

function wordList(state, table, side) {
  const section = document.createElement("section");
  section.dataset.side = side;
  const list = document.createElement("div");
  list.className = "words";
  list.setAttribute("role", "group");
  list.ariaLabel = "Words. Arrow keys move the pinned word, Escape lets go, Space plays through the words.";
  if (!isSelf(state)) section.append(document.createElement("h3"));
  section.append(list);
  table.chips = new Map(table.chipTokens.map((token) => [token, chipOf(table, token)]));
  list.append(...arranged(table));
  return { section, table };
}

function chipOf(table, token) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = `word ${table.kinds[token]}`;
  chip.dir = "auto";
  chip.textContent = table.texts[token];
  chip.dataset.token = token;
  chip.tabIndex = -1;
  chip.title = titleOf(table, token);
  if (table.unknown.includes(token)) chip.classList.add("unknown");
  return chip;
}

// What a chip cannot say: the whole of a long text, which of several alike it is, that it is unknown.
function titleOf(table, token) {
  const whole = table.wholes[token] ?? table.texts[token];
  const needsPlace = token in table.wholes || table.repeated.has(whole);
  return [
    needsPlace ? `${whole}, position ${token + 1} of ${table.count}` : "",
    table.unknown.includes(token) ? "The model does not know this word: it reads [UNK], as for any unknown word" : "",
  ].filter(Boolean).join(". ");
}

// The chips in their order: runs of specials folded, and the answer under a line of its own.
function arranged(table) {
  const folded = new Map(table.folds.flatMap((fold) => fold.map((token, i) => [token, i ? [] : folding(table, fold)])));
  let isAnswer = false;
  return table.chipTokens.flatMap((token) => {
    const chips = folded.get(token) ?? [table.chips.get(token)];
    if (isAnswer || !table.isGenerated[token]) return chips;
    isAnswer = true;
    return [heading("Answer"), ...chips];
  });
}

function heading(text) {
  const line = document.createElement("span");
  line.className = "group";
  line.textContent = text;
  return line;
}

// A button in the place of many specials, which come out when it is pressed.
function folding(table, fold) {
  const chips = fold.map((token) => table.chips.get(token));
  const button = document.createElement("button");
  button.type = "button";
  button.className = "word special fold";
  const isAlike = new Set(fold.map((token) => table.texts[token])).size === 1;
  const name = isAlike ? `${fold.length} × ${table.texts[fold[0]]}` : `${fold.length} specials`;
  const show = (isOpen) => {
    button.ariaExpanded = isOpen;
    button.textContent = `${isOpen ? "▾" : "▸"} ${name}`;
    for (const chip of chips) chip.hidden = !isOpen;
  };
  button.addEventListener("click", () => show(button.ariaExpanded !== "true"));
  show(false);
  (table.folders ??= []).push({ button, fold, show });
  return [button, ...chips];
}

function color(chip, level) {
  if (chip.level === level) return;
  chip.level = level;
  chip.style.background = level === null ? "" : LEVEL_COLOR[level];
  chip.style.color = level === null ? "" : LEVEL_INK[level];
}

function drawWords(state, values, top) {
  const [asked, answers] = [asking(state), answering(state)];
  for (const [token, chip] of answers.chips) color(chip, levelOf(values[token], top));
  for (const { button, fold } of answers.folders ?? []) color(button, levelOf(largestOf(values, fold), top));
  markWords(state, asked.chips, pinnedOf(state), touchedTokens(state));
}

// Marks what is pinned and touched, and takes the marks from what was before.
function markWords(state, chips, pinned, touched) {
  const marked = [["pinned", pinned], ["touched", touched]].flatMap(([name, tokens]) =>
    tokens.flatMap((token) => (chips.has(token) ? [[chips.get(token), name]] : [])));
  for (const [chip, name] of state.marked) chip.classList.remove(name);
  for (const [chip, name] of marked) chip.classList.add(name);
  state.marked = marked;
}

// Which side is asked can change: its chips can be pinned, the others take the colors.
function turnWords(state) {
  if (isSelf(state)) return;
  const { tables, find } = state;
  for (const side of SIDES) {
    const table = tables[side];
    const isAsked = table === asking(state);
    const title = find(`[data-side="${side}"] h3`);
    if (title) title.textContent = `${side === "queries" ? "Looking" : "Looked at"}: ${streamName(state, side)}${isAsked ? ", point or click here" : ""}`;
    if (isAsked) for (const part of [...(table.chips?.values() ?? []), ...(table.folders ?? []).map(({ button }) => button)]) color(part, null);
  }
}

function streamName({ tables }, side) {
  return tables.streams[SIDES.indexOf(side)];
}

// One chip of each list can be reached with Tab, the arrow keys go on from there.
function placeTabStop(state) {
  const pinned = pinnedOf(state);
  const asked = asking(state);
  for (const table of new Set([state.tables.queries, state.tables.keys])) {
    const own = table === asked ? pinned.find((token) => table.chips.has(token)) : undefined;
    const stop = own ?? table.words[0] ?? [...table.chips.keys()][0];
    const chosen = new Set(table === asked ? pinned : []);
    for (const { fold, show } of table.folders ?? []) if (fold.some((token) => chosen.has(token))) show(true);
    for (const [token, chip] of table.chips) {
      chip.tabIndex = token === stop ? 0 : -1;
      chip.setAttribute("aria-pressed", chosen.has(token));
    }
  }
}

// Scrolls a long list to what is pinned.
function revealPinned(state) {
  const { chips } = asking(state);
  const chip = chips.get(pinnedOf(state).findLast((token) => chips.has(token)));
  const list = chip?.closest(".words");
  if (list) list.scrollTop += chip.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2;
}
