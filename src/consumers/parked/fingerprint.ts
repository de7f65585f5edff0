import { hash } from 'node:crypto';

/**
 * What makes two failures "the same": name, code, the message without its particulars, and the places it went through
 * without lines and columns, so that a fingerprint survives an edit above the failing line.
 */
export interface FailureOutline {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

/** Messages differ by ids, amounts and quoted values; the sentence around them is what counts. */
const withoutParticulars = (message: string): string =>
  message
    .slice(0, messageLengthMax)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '#')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '#')
    .replace(/\b\w*\d\w*(?:[-.:/]\w*\d\w*)*\b/g, '#')
    .replace(/\s+/g, ' ')
    .trim();

const messageLengthMax = 1_000;
/** The innermost frames of the user's code: enough to tell two throws apart, few enough to survive a refactoring above. */
const framesMax = 3;

const frameOf = (line: string): string | null => {
  const match = /^\s*at (?:async )?(?:(.*?) \()?(.*?)(?::\d+)?(?::\d+)?\)?$/.exec(line);
  if (!match) return null;
  const place = match[2] ?? '';
  if (
    place.startsWith('node:') ||
    place.includes('node_modules') ||
    place === '<anonymous>' ||
    place === 'native'
  )
    return null;
  return `${match[1] ?? ''}@${place.split(/[\\/]/).at(-1) ?? place}`;
};

const framesOf = (stack: string): string[] => {
  const frames: string[] = [];
  for (const line of stack.split('\n')) {
    const frame = frameOf(line);
    if (frame !== null) frames.push(frame);
    if (frames.length === framesMax) break;
  }
  return frames;
};

const fingerprintLength = 16;

/** A short hexadecimal text, equal for failures that look alike. */
export const fingerprintOf = (outline: FailureOutline): string =>
  hash(
    'sha256',
    JSON.stringify([
      outline.name,
      outline.code,
      withoutParticulars(outline.message),
      framesOf(outline.stack),
    ]),
    'hex',
  ).slice(0, fingerprintLength);
