/**
 * The command line of a run, as its record keeps it: so that whoever reads the record can repeat the run.
 */

let remembered: readonly string[] = [];

/** Keeps the arguments of the run that begins. */
export function rememberCommandLine(args: readonly string[]): void {
  remembered = args;
}

/** Options about what is printed and kept, which change nothing of a run; those of the second kind take a value. */
const SWITCHES = ['--json', '--quiet'];
const TAKING = ['--record'];

/** A word as a shell takes it for itself. */
const inShell = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Values that are no paths, though they may hold a slash. */
const EXPRESSIONS = ['--kernel'];

/** A value without the folder of a path: records name no folders. */
const withoutFolder = (value: string): string => value.replace(/^(?!-).*[/\\]/s, '');

/** The command line, files by their own names, without options that change nothing of a run. */
export function commandLine(): string {
  const words: string[] = [];
  for (let k = 0; k < remembered.length; k++) {
    const [, flag, value] = /^(--[\w-]+)=(.*)$/s.exec(remembered[k]) ?? [];
    if (SWITCHES.includes(remembered[k]) || TAKING.includes(flag)) continue;
    if (TAKING.includes(remembered[k])) k++;
    else if (flag !== undefined) words.push(`${flag}=${EXPRESSIONS.includes(flag) ? value : withoutFolder(value)}`);
    else words.push(EXPRESSIONS.includes(remembered[k - 1]) ? remembered[k] : withoutFolder(remembered[k]));
  }
  return ['hmatrix', ...words].map(inShell).join(' ');
}
