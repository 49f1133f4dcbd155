// The words as chips, colored by the weight each one gets.
function buildWords(state) {
  const { data, find } = state;
  state.chips = new Map();
  data.texts.forEach((text, token) => {
    if (data.kinds[token] !== "text" && data.kinds[token] !== "special") return;
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = `word ${data.kinds[token]}`;
    chip.dir = "auto";
    chip.textContent = text;
    chip.dataset.token = token;
    chip.tabIndex = -1;
    if (data.unknown.includes(token)) {
      chip.classList.add("unknown");
      chip.title = "The model does not know this word: it reads [UNK], as for any unknown word";
    }
    state.chips.set(token, chip);
  });
  find(".words").replaceChildren(...state.chips.values());
}

function drawWords(state, values, top) {
  const pinned = new Set(state.selection.tokens);
  const touched = new Set(touchedTokens(state));
  for (const [token, chip] of state.chips) {
    const level = levelOf(values[token], top);
    if (chip.level !== level) {
      chip.level = level;
      chip.style.background = LEVEL_COLOR[level];
      chip.style.color = LEVEL_INK[level];
    }
    chip.classList.toggle("pinned", pinned.has(token));
    chip.classList.toggle("touched", touched.has(token));
  }
}

// One chip can be reached with Tab, the arrow keys go on from there.
function placeTabStop(state) {
  const pinned = state.selection.tokens.find((token) => state.chips.has(token));
  const stop = pinned ?? state.words[0] ?? [...state.chips.keys()][0];
  for (const [token, chip] of state.chips) {
    chip.tabIndex = token === stop ? 0 : -1;
    chip.setAttribute("aria-pressed", state.selection.tokens.includes(token));
  }
}
