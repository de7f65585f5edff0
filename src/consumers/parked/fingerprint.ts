import { hash } from 'node:crypto';
import type { Frame } from './stack-frames.ts';

/**
 * What makes two failures "the same": class and code of the error, of its causes, the message without its particulars, and
 * the places in the app's code that it went through, without lines and columns. It survives an edit above the failing
 * line, another build folder and another order's number; the version of the code is no part of it, so that a failure which
 * outlives a deploy is still the same one.
 */
export interface FailureOutline {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly frames: readonly Frame[];
  readonly causes: readonly { readonly name: string; readonly code: string | null }[];
}

const messageLengthMax = 1_000;

/** Messages differ by ids, amounts, places and quoted values; the sentence around them is what counts. */
const withoutParticulars = (message: string): string =>
  message
    .slice(0, messageLengthMax)
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '#')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '#')
    .replace(/[a-z][a-z0-9+.-]*:\/\/\S+|\S+@\S+/gi, '#')
    .replace(/(?:[a-z]:)?(?:[\\/][\w.@-]+){2,}/gi, '#')
    .replace(/\b\w*\d\w*(?:[-.:/]\w*\d\w*)*\b/g, '#')
    .replace(/\s+/g, ' ')
    .trim();

const fingerprintLength = 16;

/** A short hexadecimal text, equal for failures that look alike. */
export const fingerprintOf = ({ name, code, message, frames, causes }: FailureOutline): string =>
  hash(
    'sha256',
    JSON.stringify([
      name,
      code,
      withoutParticulars(message),
      frames.map((frame) => [frame.called, frame.file]),
      causes.map((cause) => [cause.name, cause.code]),
    ]),
    'hex',
  ).slice(0, fingerprintLength);
