import type { CatalogueEntry } from '../contracts/index.ts';
import { countText } from '../operations/index.ts';
import { printable, type Style, truncate, wrap } from './style.ts';

interface CatalogueView {
  readonly width: number;
  readonly style: Style;
}

const readableWidth = 100;
const labelWidth = 10;

export const catalogueLines = (entries: readonly CatalogueEntry[], view: CatalogueView): string[] => {
  const missing = entries.filter(({ gaps }) => gaps.length > 0);
  return [
    ...entries.flatMap((entry) => [...entryLines(entry, view), '']),
    missing.length === 0
      ? `${countText(entries.length, 'event')} with schema, example, owner, producer and consumer.`
      : `${countText(entries.length, 'event')}, ${missing.length} with gaps.`,
  ];
};

const entryLines = (entry: CatalogueEntry, { width, style }: CatalogueView): string[] => {
  const room = Math.min(width, readableWidth) - labelWidth - 3;
  const row = (label: string, text: string): string[] =>
    text === ''
      ? []
      : wrap(printable(text), room).map(
          (line, index) => `  ${style.dim((index === 0 ? label : '').padEnd(labelWidth))} ${line}`,
        );
  const { deprecated, sla, changes } = entry;
  const flags = [
    entry.kind,
    `key ${entry.key.join(', ')}`,
    `order by ${entry.ordering}`,
    `kept ${entry.retention === 'forever' ? 'for ever' : 'as usual'}`,
    entry.compatibility,
    ...(entry.highImpact ? ['high impact'] : []),
    ...(sla === null ? [] : [`handled within ${sla.handledWithin}`]),
  ];
  return [
    style.bold(printable(entry.type)),
    ...row('', entry.summary ?? ''),
    ...row('owner', entry.owner),
    ...row('terms', flags.join(' · ')),
    ...row(entry.kind === 'command' ? 'senders' : 'producers', entry.producers.join(', ')),
    ...entry.consumers.flatMap(({ name, class: kind, owner, reads }, index) =>
      row(
        index === 0 ? 'consumers' : ' ',
        `${name} (${kind}, ${owner}) ${reads === null ? 'may read any field' : `reads ${reads.join(', ') || 'no field'}`}`,
      ),
    ),
    ...row('replies', repliesText(entry)),
    ...row('answers', entry.answers.join(', ')),
    ...row(
      'sensitive',
      Object.entries(entry.sensitivity)
        .map(([path, level]) => `${path} ${level}`)
        .join(', '),
    ),
    ...row(
      'deprecated',
      deprecated === null
        ? ''
        : `from ${deprecated.since} until ${deprecated.until}${deprecated.replacement === null ? '' : `, use ${deprecated.replacement}`}`,
    ),
    ...row('example', entry.example === null ? '' : truncate(JSON.stringify(entry.example), room * 3)),
    ...row(
      'changes',
      changes === null
        ? ''
        : `since ${changes.from}: ${changes.changes.map(({ rule, path }) => `${rule} ${path}`).join(', ') || 'none'}${changes.upcast ? '; old events are read as this version' : ''}`,
    ),
    ...row('lacks', entry.gaps.join(', ')),
  ];
};

const repliesText = ({ replies, within }: CatalogueEntry): string =>
  `${replies.join(', ')}${within === null ? '' : ` within ${within}`}`;
