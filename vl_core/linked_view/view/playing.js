// Playing through the words, one after the other. Who asked for less motion steps by hand.
const PAUSE = 2000; // milliseconds for each word
const lessMotion = globalThis.matchMedia("(prefers-reduced-motion: reduce)");

function play(state) {
  if (state.timer) {
    stop(state);
    draw(state);
    return;
  }
  state.pointed = null;
  showNextWord(state);
  if (!lessMotion.matches) state.timer = setInterval(() => showNextWord(state), PAUSE);
  namePlayButton(state);
}

function showNextWord(state) {
  const { words } = asking(state);
  const last = words.indexOf(state.playing ?? pinnedWord(state));
  state.playing = words[(last + 1) % words.length] ?? null;
  draw(state);
}

// Starts after the pinned word, or at the first one.
function pinnedWord(state) {
  return pinnedOf(state).find((token) => asking(state).words.includes(token));
}

function stop(state) {
  clearInterval(state.timer);
  state.timer = null;
  state.playing = null;
  namePlayButton(state);
}

function namePlayButton(state) {
  const button = state.find(".play");
  const idle = lessMotion.matches ? "Next word" : "▶ Play words";
  button.textContent = state.timer ? "◼ Stop" : idle;
  button.disabled = !state.tables || asking(state).words.length === 0 || !canPoint(state);
}
