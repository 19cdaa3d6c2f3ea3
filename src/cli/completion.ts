/**
 * Completion in shells: commands, options, their choices, and files where a file is meant.
 */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import withCompletion from '@bomb.sh/tab/commander';

/** Values that are files, as help texts write them. */
const FILE = /<(file|files|dir|points)>|\[file\]|^--(rhs|x) /;

/** Files and folders that begin like `word`; nothing where its folder cannot be read. */
function filesLike(word: string): string[] {
  const folder = word.endsWith('/') ? word : dirname(word);
  const before = folder === '.' && !word.startsWith('.') ? '' : word.slice(0, word.lastIndexOf('/') + 1);
  try {
    return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true })
      .map((entry) => `${before}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .filter((name) => name.startsWith(word) && (word !== '' || !name.startsWith('.')))
      .sort();
  } catch {
    return [];
  }
}

/** Adds `completion <shell>`, and what its scripts call; `args` are those of the command line. */
export function addCompletion(program: Command, args: readonly string[]): void {
  const commands = [...program.commands];
  const root = withCompletion(program, { completionCommandName: 'completion' });
  const word = (args.at(-1) ?? '').replace(/^--[\w-]+=/, '');
  const offer = (complete: (value: string, description: string) => void): void => {
    for (const name of filesLike(word)) complete(name, '');
  };
  for (const command of commands) {
    const completed = root.commands.get(command.name());
    for (const argument of command.registeredArguments) {
      const found = completed?.arguments.get(argument.name());
      if (found !== undefined && /^files?$/.test(argument.name())) found.handler = offer;
    }
    for (const option of command.options) {
      const found = completed?.options.get(option.name());
      if (found !== undefined && FILE.test(option.flags)) found.handler = offer;
    }
  }
}
