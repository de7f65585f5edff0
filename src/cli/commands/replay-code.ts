import type { ReplayCode } from '../../replay/index.ts';
import type { CommandContext } from '../command.ts';
import { loadApp } from '../configuration.ts';
import type { Connected } from '../connection.ts';

/** What the app at hand declares: a plan and an estimate rest on it. @throws FactlineError CONFIG_MISSING */
export const codeOf = async (
  context: CommandContext,
  { app }: Connected,
): Promise<ReplayCode & { readonly source: string }> => {
  const { settings } = (app ?? (await loadApp(context))).internals;
  const { codeVersion, consumers: definitions, contracts, source } = settings;
  return { codeVersion, definitions, contracts, source };
};
