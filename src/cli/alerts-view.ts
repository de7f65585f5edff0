import { durationText, type ListedAlert, type ListedReceiver } from '../operations/index.ts';
import { printable, type Style, wrap } from './style.ts';
import { type Column, renderTable } from './table.ts';

export interface AlertsViewOptions {
  readonly width: number;
  readonly style: Style;
}

const stateText = ({ state, severity }: ListedAlert): string =>
  state === 'firing' ? severity.toUpperCase() : state;

const columns: readonly Column<ListedAlert>[] = [
  { title: 'ALERT', value: ({ id }) => String(id), align: 'right' },
  {
    title: 'STATE',
    value: stateText,
    paint: ({ state, severity }, style) =>
      state === 'resolved'
        ? style.green
        : state === 'firing' && severity === 'page'
          ? style.red
          : style.yellow,
  },
  { title: 'FOR', value: ({ metMs }) => durationText(metMs), align: 'right' },
  { title: 'CLASS', value: (row) => row.class, dropOrder: 2 },
  { title: 'WHAT', value: ({ summary }) => printable(summary), widthMin: 20 },
  {
    title: 'TOLD',
    value: ({ told }) => (told.length === 0 ? 'nobody' : told.map(({ receiver }) => receiver).join(', ')),
    dropOrder: 1,
  },
];

/** The table of `alerts list`, and below it what receivers have not taken. */
export const alertLines = (
  alerts: readonly ListedAlert[],
  receivers: readonly ListedReceiver[],
  options: AlertsViewOptions,
): string[] => {
  const { style, width } = options;
  const table = alerts.length === 0 ? ['No alert.'] : renderTable(alerts, columns, options);
  const waiting = receivers
    .filter((each) => each.waiting > 0)
    .flatMap(({ name, waiting: count, waitingMs, attempts, lastError }) => {
      const why = lastError === null ? '' : `: ${printable(lastError)}`;
      const text = `${name} has not taken ${count === 1 ? 'a message' : `${count} messages`} for ${durationText(waitingMs ?? 0)} (${attempts} attempts)${why}`;
      return wrap(text, Math.max(20, width)).map((line) => style.yellow(line));
    });
  const nobody =
    receivers.length === 0 && alerts.some(({ state }) => state === 'firing')
      ? [style.dim('Nobody is told: createFactline({ alerts: { receivers: … } }), see docs/alerts.md')]
      : [];
  return [table, waiting, nobody]
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
};
