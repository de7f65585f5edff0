import type { CausalLinks, Delivery, LoggedEvent } from '../operations/index.ts';
import { printable, type Style, textWidth, truncate, wrap } from './style.ts';
import { renderTable } from './table.ts';

interface View {
  readonly width: number;
  readonly style: Style;
}

/** A payload that nobody asked to see whole. */
const dataWidthMax = 400;

/** `#4711  14:03:22.123  shop.order.placed.v1  orderId=A1  {"pence":4200}`, cut to one line. */
export const eventLine = (event: LoggedEvent, { width, style }: View): string => {
  const time = event.recordedAt.replace('T', ' ').replace(/^(.{23}).*$/, '$1');
  const key = truncate(printable(event.key), 60);
  const head = `#${event.position}  ${time}  ${event.type}  ${key}`;
  const left = Math.min(width - textWidth(head) - 2, dataWidthMax);
  const data = left < 8 ? '' : truncate(printable(JSON.stringify(event.data)), left);
  const painted = `${style.dim(`#${event.position}  ${time}`)}  ${style.cyan(event.type)}  ${style.bold(key)}`;
  return data === '' ? painted : `${painted}  ${style.dim(data)}`;
};

const labelWidth = 14;

export const eventDetailLines = (event: LoggedEvent, { width: available, style }: View): string[] => {
  const width = Math.min(available, 120);
  const field = (label: string, value: string): string[] => {
    const [first = '', ...rest] = wrap(printable(value), Math.max(20, width - labelWidth - 1));
    return [
      `${style.dim(label.padEnd(labelWidth))} ${first}`,
      ...rest.map((line) => `${' '.repeat(labelWidth + 1)}${line}`),
    ];
  };
  const meta = Object.entries((event.meta ?? {}) as Record<string, unknown>);
  return [
    style.bold(`#${event.position} ${event.type}`),
    '',
    ...field('id', event.id),
    ...field('key', event.key),
    ...field('source', event.source),
    ...field('happened', event.time),
    ...field('recorded', event.recordedAt),
    ...meta.flatMap(([name, value]) =>
      field(name, typeof value === 'string' ? value : JSON.stringify(value)),
    ),
    '',
    style.bold('Payload'),
    ...JSON.stringify(event.data, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
  ];
};

/** What an event came from and what came of it; a command's replies are among the latter. */
export const linkLines = ({ cause, ledTo }: CausalLinks, { style }: View): string[] => {
  const row = (label: string, { position, type, source }: CausalLinks['ledTo'][number]): string =>
    `${style.dim(label.padEnd(labelWidth))} #${position} ${style.cyan(type)} ${style.dim(`by ${printable(source)}`)}`;
  const lines = [
    ...(cause === null ? [] : [row('caused by', cause)]),
    ...ledTo.map((event, index) => row(index === 0 ? 'led to' : '', event)),
  ];
  return lines.length === 0 ? [] : [...lines, ''];
};

export const deliveryLines = (deliveries: readonly Delivery[], { width, style }: View): string[] => {
  if (deliveries.length === 0) return [style.dim('No consumer reads this type.')];
  const good = (state: Delivery['state']): boolean => state === 'handled' || state === 'before its start';
  return renderTable(
    deliveries,
    [
      {
        title: 'CONSUMER',
        value: ({ consumer, build, read }) => (read ? consumer : `${consumer} (build ${build})`),
        widthMin: 10,
      },
      { title: 'CLASS', value: ({ class: name }) => name, dropOrder: 1 },
      {
        title: 'STATE',
        value: ({ state }) => state,
        paint: ({ state }) =>
          good(state) ? style.green : state === 'quarantined' ? style.red : style.yellow,
      },
      {
        title: 'PARKED AS',
        value: ({ parkedId }) => (parkedId === null ? '' : `quarantine show ${parkedId}`),
        dropOrder: 2,
      },
    ],
    { width, style },
  );
};
