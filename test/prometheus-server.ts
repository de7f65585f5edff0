import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Prometheus } from './promtool.ts';

/** An alert as Prometheus lists it. */
export interface Firing {
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RunningPrometheus {
  alerts(): Promise<readonly Firing[]>;
  stop(): Promise<void>;
}

const freePort = async (): Promise<number> => {
  const server = createSocketServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

/** A Prometheus that scrapes `metrics` and evaluates `rules` twice a second, until it is stopped. */
export const startPrometheus = async (
  prometheus: Prometheus,
  { rules, metrics }: { readonly rules: string; readonly metrics: () => string },
): Promise<RunningPrometheus> => {
  const target = createServer((_, response) => response.end(metrics()));
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'factline-prometheus-'));
  writeFileSync(path.join(folder, 'rules.yml'), rules);
  const { port: targetPort } = target.address() as AddressInfo;
  const configuration = [
    'global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }',
    'rule_files: [rules.yml]',
    `scrape_configs: [{ job_name: factline, static_configs: [{ targets: ['127.0.0.1:${targetPort}'] }] }]`,
  ];
  writeFileSync(path.join(folder, 'prometheus.yml'), `${configuration.join('\n')}\n`);
  const address = `127.0.0.1:${await freePort()}`;
  const server = spawn(
    prometheus.server,
    ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=${address}`],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  server.stderr.on('data', (part) => {
    said = `${said}${part}`.slice(-2_000);
  });
  const ended = once(server, 'exit');
  return {
    // Until it listens there are no alerts.
    alerts: async () => {
      if (server.exitCode !== null) throw new Error(`Prometheus ended: ${said}`);
      const response = await fetch(`http://${address}/api/v1/alerts`).catch(() => null);
      if (response === null || !response.ok) return [];
      return ((await response.json()) as { data: { alerts: Firing[] } }).data.alerts;
    },
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
      target.close();
      target.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
