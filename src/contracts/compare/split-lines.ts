export type Line =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-long'; readonly limit: number };

const lineBytesMax = 64 * 1_048_576;
const newline = 0x0a;

/** Lines of a stream of bytes; one that is too long is counted and not kept. The end of the stream ends a line, if one was begun. */
export async function* splitLines(
  input: AsyncIterable<Uint8Array>,
  limit: number = lineBytesMax,
): AsyncGenerator<Line, void, void> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length <= limit) parts.push(part);
    else parts = [];
  };
  const take = (): Line => {
    const line: Line =
      length > limit ? { kind: 'too-long', limit } : { kind: 'bytes', bytes: Buffer.concat(parts) };
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of input) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end === -1) break;
      keep(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    keep(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
