import { listAlerts, listReceivers, prometheusRules } from '../../operations/index.ts';
import { alertLines } from '../alerts-view.ts';
import type { Command } from '../command.ts';
import { appOption, loadApp } from '../configuration.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { jsonText } from '../json-text.ts';
import { wholeNumber } from '../parse.ts';

export const alertsList: Command = {
  path: ['alerts', 'list'],
  summary: 'Show the alerts that fire, and what receivers have not taken yet.',
  description:
    'Shows the alerts that fire and those about to; with --all also those that have ended. A running app evaluates them every ten seconds, whether or not anybody is told.',
  options: [
    { name: 'all', help: 'Also those that have ended, the latest first.' },
    { name: 'limit', value: 'N', help: 'At most this many. Default: 200.' },
    ...databaseOptions,
  ],
  examples: [
    { line: 'factline alerts list', does: 'what needs somebody now' },
    { line: 'factline alerts list --all --json', does: 'the history, for scripts' },
  ],
  json: [
    {
      name: 'alerts[]',
      help: '{ id, app, key, class, consumer, severity, state, level, summary, facts, metAt, firedAt, resolvedAt, told[], runbook, … }',
    },
    { name: 'alerts[].key', help: 'class:consumer:fingerprint; one open alert has it.' },
    { name: 'alerts[].state', help: 'pending (not for long enough yet), firing or resolved.' },
    {
      name: 'receivers[]',
      help: '{ app, name, kind, usedAt, deliveredAt, waiting, waitingMs, attempts, lastError }',
    },
    {
      name: 'receivers[].waiting',
      help: 'Messages that it has not taken yet; they are tried again until it does.',
    },
  ],
  run: (context) =>
    withDatabase(context, async ({ database }) => {
      const { given, terminal, style, json } = context;
      const limit = wholeNumber(given, 'limit', { min: 1, max: 10_000, fallback: 200 });
      const alerts = await listAlerts(database.operations, { all: given.has('all'), limit });
      const receivers = await listReceivers(database.operations);
      if (json) terminal.out(jsonText({ alerts, receivers }));
      else
        for (const line of alertLines(alerts, receivers, { width: terminal.width, style }))
          terminal.out(line);
      return undefined;
    }),
};

export const alertsRules: Command = {
  path: ['alerts', 'rules'],
  summary: 'Write Prometheus rules made of the declared promises.',
  description:
    'Writes alerting rules for Prometheus and Alertmanager: the two-window burn rates of every consumer by its slo, and the other alerts that Factline evaluates itself. Needs the app, no database. The text depends on the declarations alone: commit it and compare.',
  options: [appOption],
  examples: [
    {
      line: 'factline alerts rules > factline.rules.yml',
      does: 'then: promtool check rules factline.rules.yml',
    },
  ],
  json: [{ name: 'rules', help: 'The YAML text.' }],
  run: async (context) => {
    const { internals } = await loadApp(context);
    const rules = prometheusRules(internals.settings.consumers);
    context.terminal.out(context.json ? jsonText({ rules }) : rules.trimEnd());
    return undefined;
  },
};
