/** A length of time as people write it: `'500ms'`, `'30s'`, `'5m'`, `'1h'`, `'30d'`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;
