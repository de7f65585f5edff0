/** What `#/$defs/line` stands for; undefined where nothing is. Only within the document: nothing is fetched. */
export const resolveReference = (root: unknown, reference: string): unknown => {
  if (!reference.startsWith('#')) return undefined;
  let place = root;
  for (const part of reference.slice(1).split('/').slice(1)) {
    const name = unescaped(part);
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, name)) return undefined;
    place = (place as Readonly<Record<string, unknown>>)[name];
  }
  return place;
};

/** Also where a percent sign means itself. */
const unescaped = (part: string): string => {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // Not an escape: taken as it stands.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
};
