import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hanging, hintLines, printable, styleOf, textWidth, truncate, wrap } from './style.ts';
import { wantsColour } from './terminal.ts';

describe('text in a terminal', () => {
  it('is measured in columns: escape sequences take none, wide characters two', () => {
    expect(textWidth(styleOf(true).red('abc'))).toBe(3);
    expect(textWidth('日本')).toBe(4);
    expect(textWidth('👩‍👩‍👧')).toBe(2);
    expect(textWidth('é')).toBe(1);
  });

  it('is cut with an ellipsis and never exceeds the width', () => {
    expect(truncate('abcdef', 4)).toBe('abc…');
    expect(truncate('abc', 3)).toBe('abc');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(30), (text, width) => {
        expect(textWidth(truncate(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });

  it('shows control characters of data instead of obeying them', () => {
    expect(printable('a\u001b[31mb\u0000\u202ec')).toBe('a\\u001b[31mb\\u0000\\u202ec');
    expect(printable('one\n  two')).toBe('one two');
  });

  it('has its hints in one line where they fit, else a line each; a long entry goes on further in', () => {
    const style = styleOf(false);
    expect(hintLines(['More: a b', 'again: c d'], { width: 22, style })).toEqual(['More: a b · again: c d']);
    expect(hintLines(['More: a b', 'again: c d'], { width: 21, style })).toEqual(['More: a b', 'again: c d']);
    expect(hanging('aaaa bbbb cccc dddd eeee', 20)).toEqual(['  aaaa bbbb cccc dddd', '      eeee']);
  });

  it('is wrapped at spaces', () => {
    expect(wrap('the quick brown fox', 10)).toEqual(['the quick', 'brown fox']);
    expect(wrap('a\nb', 10)).toEqual(['a', 'b']);
  });
});

describe('colour', () => {
  it('is for terminals only, and never against NO_COLOR', () => {
    expect(wantsColour({}, true)).toBe(true);
    expect(wantsColour({}, false)).toBe(false);
    expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false);
    expect(wantsColour({ NO_COLOR: '', FORCE_COLOR: '1' }, false)).toBe(true);
    expect(wantsColour({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false);
    expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false);
    expect(styleOf(false).red('x')).toBe('x');
  });
});
