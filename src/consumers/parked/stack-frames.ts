/** One call in the app's own code, named so that the name outlives edits and builds. */
export interface Frame {
  /** The function; empty where it has no name of its own. */
  readonly called: string;
  /** The file's name without its folders: those differ between machines and builds. */
  readonly file: string;
}

/** The innermost frames of the app: enough to tell two throws apart, few enough to survive a refactoring above. */
const framesMax = 3;
const linesMax = 100;
const lineLengthMax = 1_000;

/** Factline's own folder, `src/` or `dist/`: its frames say nothing about the app. A bundle has none. */
const ownFolder = /^(.*\/)consumers\/parked\/stack-frames\.[jt]s$/.exec(
  new URL(import.meta.url).pathname,
)?.[1];

/** Node, its packages, evaluated text and Factline itself. */
const isForeign = (place: string): boolean =>
  /^(?:node:|native$|eval at |index \d|wasm:)|<anonymous>|[\\/]node_modules[\\/]/.test(place) ||
  (ownFolder !== undefined && place.includes(ownFolder));

/** Bundlers put a digest into a file's name (`chunk-4YHDQ2ZK.js`); it changes with every build. */
const fileOf = (place: string): string =>
  (place.split(/[\\/]/).at(-1) ?? '')
    .replace(/(?::\d+){1,2}$/, '')
    .replace(/[?#].*$/, '')
    .replace(/(?<=[-._])(?=\w*\d)\w{6,}(?=[-._])/g, '#');

/** Receivers that V8 puts before a function, suffixes of bundlers and the one-letter names of minifiers are left out. */
const calledOf = (text: string): string => {
  const name = text
    .replace(/^(?:async |new )+/, '')
    .replace(/ \[as [^\]]*\]$/, '')
    .replace(/^(?:Object|Module|Function|exports|globalThis)\./, '')
    .replace(/\$\d+$/, '');
  return name === '<anonymous>' || /^[\w$]{1,2}$/.test(name) ? '' : name;
};

const frameOf = (line: string): Frame | null => {
  const text = /^\s*at (.+)$/.exec(line.slice(0, lineLengthMax))?.[1];
  if (text === undefined) return null;
  const opened = text.endsWith(')') ? text.indexOf(' (') : -1;
  const place = opened < 0 ? text.replace(/^async /, '') : text.slice(opened + 2, -1);
  if (isForeign(place)) return null;
  return { called: opened < 0 ? '' : calledOf(text.slice(0, opened)), file: fileOf(place) };
};

/** The innermost frames of the app's code. `message`: it stands before them in the stack and may look like one. */
export const framesOf = (stack: string, message: string): readonly Frame[] => {
  const begin = message === '' ? -1 : stack.indexOf(message);
  const trace = begin < 0 ? stack : stack.slice(begin + message.length);
  const frames: Frame[] = [];
  for (const line of trace.split('\n', linesMax)) {
    const frame = frameOf(line);
    if (frame !== null) frames.push(frame);
    if (frames.length === framesMax) break;
  }
  return frames;
};
