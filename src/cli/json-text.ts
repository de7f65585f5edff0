/** What JSON leaves as it is although a terminal obeys it: DEL, the second control block, and marks that turn the direction of text. */
const obeyed = /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** JSON that steers no terminal, whatever the data: such characters are written as escapes, which every reader of JSON undoes. */
export const jsonText = (value: unknown, indent = 0): string =>
  JSON.stringify(value, null, indent).replace(
    obeyed,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
