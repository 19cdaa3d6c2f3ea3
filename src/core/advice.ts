/**
 * Options that would help, named in an error so that each reader finds them: in code as options, on the command line as
 * flags. A message holds `inCode(advice)`, the error's `data.advice` the list of them; the command puts its flags in
 * their place (cli/outcome.ts).
 */

/** An option of the function that threw, and the value that would help; without a value the option as such. */
export interface OptionAdvice {
  readonly option: string;
  readonly value?: string | boolean | readonly boolean[] | undefined;
}

/** As code has it: `incompleteRows: 'skip'`; without a value `option columns`. */
export function inCode({ option, value }: OptionAdvice): string {
  if (value === undefined) return `option ${option}`;
  if (typeof value === 'object') return `${option}: [${value.join(', ')}]`;
  return `${option}: ${typeof value === 'string' ? `'${value.replace('\t', '\\t')}'` : String(value)}`;
}
