/**
 * What the commands take, as their handlers get it.
 */
import type { DeviceName } from '../device/device.js';
import type { SpectrumEnd, TopEigenvaluesOptions } from '../lowrank/top-eigenvalues.js';
import type { Precision } from '../dense/matrix.js';
import type { PlanOptions } from '../experiment/plan/options.js';
import type { Kept } from '../experiment/training-run.js';
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import type { CsvFormat } from '../io/csv-format.js';
import type { ActivationName } from '../network/activations/table.js';
import type { LossName } from '../network/losses/table.js';
import type { Setting } from '../training/optimizer.js';
import type { ModelName, ModelSettings, TableModelName } from '../experiment/model-names.js';
import type { OptimizerName } from '../training/optimizers/table.js';
import type { Theme } from '../report/svg.js';
import type { SolveMethod } from '../solve/options.js';
import type { PreconditionerName } from '../solve/preconditioners/table.js';

/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly workers?: number | undefined;
  readonly blas?: string | undefined;
}
/** What a run of a compression takes, besides its input. */
export interface RunOptions extends CommonOptions, Omit<CompressOptions, 'seed'> {
  readonly seed: number;
  readonly vectors: number;
  readonly device?: DeviceName | 'auto' | undefined;
  readonly out?: string | undefined;
  readonly record?: string | undefined;
}
/** Options of `hmatrix tune`. */
export interface TuneCommandOptions extends CommonOptions, InputOptions, Omit<CompressOptions, 'seed' | 'tree'> {
  readonly seed: number;
  readonly record?: string | undefined;
}
/** Options of `hmatrix compress`. */
export type CompressCommandOptions = RunOptions & InputOptions;
/** What a table of approximations takes. */
export interface TableOptions extends CommonOptions, Omit<CsvFormat, 'values'> {
  /** Whether these (network: or loss, or bias) were given, and are not defaults. */
  readonly networkGiven?: boolean | undefined;
  readonly samplesGiven?: boolean | undefined;
  readonly activationGiven?: boolean | undefined;
  /** A network of layers instead of a perceptron. */
  readonly model?: TableModelName | undefined;
  readonly network: readonly number[];
  readonly activation: readonly ActivationName[];
  readonly loss: LossName;
  readonly bias: boolean;
  readonly samples: number;
  readonly epochs?: number | undefined;
  readonly learningRate: number;
  readonly batchSize: number;
  readonly images?: string | undefined;
  readonly labels?: string | undefined;
  readonly data?: string | undefined;
  readonly targets?: string | undefined;
  /** Columns of `data` that are the targets. */
  readonly target?: readonly (string | number)[] | undefined;
  readonly weights?: string | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly methods: readonly string[];
  readonly vectors: number;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
  readonly record?: string | undefined;
  readonly preconditioners?: boolean | undefined;
  readonly size?: number | undefined;
  readonly matrices?: readonly string[] | undefined;
}
/** Options of `hmatrix demo`. */
export interface DemoOptions extends TableOptions {
  /** The page that is written. */
  readonly report: string;
}
/** What a solve takes. */
export interface SolveCommandOptions
  extends
    CommonOptions,
    InputOptions,
    Pick<
      CompressOptions,
      'format' | 'leafSize' | 'maxRank' | 'neighbors' | 'budget' | 'distance' | 'dtype' | 'memoryLimit'
    > {
  readonly shift?: number | undefined;
  readonly shiftRelative?: number | undefined;
  readonly method: SolveMethod;
  /** A file that doctor --calibrate wrote. */
  readonly rates?: string | undefined;
  readonly preconditioner: PreconditionerName | 'auto';
  /** Of Nyström. */
  readonly rank?: number | undefined;
  /** Of the solve. */
  readonly tolerance?: number | undefined;
  readonly compressTolerance?: number | undefined;
  readonly maxIterations?: number | undefined;
  readonly rhs: string;
  /** Columns of `rhs`, a table. */
  readonly rhsColumn?: readonly (string | number)[] | undefined;
  readonly vectors: number;
  readonly seed: number;
  readonly out?: string | undefined;
  readonly keepFailed?: true | undefined;
  readonly record?: string | undefined;
}
/** Options of `hmatrix eigs`. */
export interface EigsCommandOptions
  extends CommonOptions, InputOptions, Pick<TopEigenvaluesOptions, 'tolerance' | 'maxProducts' | 'memoryLimit'> {
  readonly count: number;
  readonly which: SpectrumEnd;
  readonly seed: number;
  readonly out?: string | undefined;
  readonly record?: string | undefined;
}
/** Options of `hmatrix sample`. */
export interface SampleCommandOptions extends CommonOptions, NetworkOptions, Omit<CsvFormat, 'values'> {
  readonly count: number;
  readonly shift: number;
  readonly share?: number | undefined;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
  readonly out?: string | undefined;
  readonly record?: string | undefined;
}
/** Options of `hmatrix factor` and `hmatrix logdet`. */
export interface FactorCommandOptions
  extends CommonOptions, InputOptions, Omit<CompressOptions, 'seed' | 'budget' | 'tree'> {
  readonly shift: number;
  readonly seed: number;
  /** Of `logdet` alone. */
  readonly probes?: number | undefined;
  /** Of `factor` alone. */
  readonly out?: string | undefined;
  readonly record?: string | undefined;
}
/** Options of `hmatrix multiply`. */
export interface MultiplyOptions extends CommonOptions {
  readonly x: string;
  readonly vectors: number;
  readonly seed: number;
  readonly out?: string | undefined;
}
/** Options of `hmatrix plot`. */
export interface PlotCommandOptions extends CommonOptions {
  readonly out?: string | undefined;
  readonly figures?: readonly string[] | undefined;
  readonly theme?: Theme | undefined;
  readonly singularValues?: boolean | undefined;
  readonly spectrum?: boolean | undefined;
  readonly seed: number;
}
/** Options of `hmatrix report`. */
export interface ReportCommandOptions extends CommonOptions {
  readonly out: string;
  readonly title?: string | undefined;
}
/** What is trained: a network and its data; what is left out fits the data. */
export interface TaskOptions extends CommonOptions, CsvFormat {
  /** Whether `activation` was given, and is not the default. */
  readonly activationGiven?: boolean | undefined;
  readonly config?: string | undefined;
  readonly network?: readonly number[] | undefined;
  readonly hidden?: readonly number[] | undefined;
  readonly activation: readonly ActivationName[];
  readonly loss?: LossName | undefined;
  readonly bias: boolean;
  readonly samples?: number | undefined;
  readonly images?: string | undefined;
  readonly labels?: string | undefined;
  readonly data?: string | undefined;
  readonly targets?: string | undefined;
  readonly target?: readonly (string | number)[] | undefined;
  readonly weights?: string | undefined;
  readonly standardize?: boolean | undefined;
  readonly precision: Precision;
  readonly validation: number;
  readonly batchSize?: number | 'all' | undefined;
  readonly epochs?: number | undefined;
  readonly seconds?: number | undefined;
  readonly lastLayer?: boolean | undefined;
  readonly seed: number;
  readonly record?: string | undefined;
}
/** A name with settings: of an optimizer, of a schedule. */
export interface NamedSettings {
  readonly name: string;
  readonly settings: Readonly<Record<string, Setting>>;
}
/** Options of `hmatrix train`. */
export interface TrainCommandOptions extends TaskOptions, Omit<ModelSettings, 'dropout'> {
  /** A network of layers instead of a perceptron. */
  readonly model?: ModelName | undefined;
  /** Of its images: whether they are moved at random. */
  readonly augment?: boolean | undefined;
  /** A file of sentences, or of pairs of them. */
  readonly text?: string | undefined;
  /** Most words that are told apart, and most tokens of a sentence. */
  readonly words?: number | undefined;
  readonly length?: number | undefined;
  /** Hypotheses that are kept for BLEU. */
  readonly beams?: number | undefined;
  readonly optimizer?: OptimizerName | undefined;
  readonly learningRate?: number | undefined;
  readonly set?: Readonly<Record<string, Setting>> | undefined;
  readonly schedule?: NamedSettings | undefined;
  readonly steps?: number | undefined;
  readonly accumulate?: number | undefined;
  readonly decay?: number | undefined;
  readonly regularization?: number | undefined;
  readonly dropout?: number | undefined;
  readonly clip?: number | undefined;
  readonly average?: number | undefined;
  readonly patience?: number | undefined;
  readonly targetLoss?: number | undefined;
  readonly targetAccuracy?: number | undefined;
  readonly evaluateEvery?: number | undefined;
  readonly memoryLimit?: number | undefined;
  readonly device?: DeviceName | 'auto' | undefined;
  readonly rotateInputs?: boolean | undefined;
  readonly checkpoint?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly metrics?: string | undefined;
  readonly out?: string | undefined;
  readonly keep: Kept;
}
/** Options of `hmatrix compare`. */
export interface CompareCommandOptions extends TaskOptions {
  readonly optimizers: readonly (OptimizerName | 'all')[];
  readonly grid: string;
  readonly targetLoss?: readonly number[] | undefined;
  readonly targetAccuracy?: readonly number[] | undefined;
  readonly seeds: number;
}
/** Of `hmatrix doctor`: true where no file is named. */
export interface DoctorOptions extends CommonOptions {
  readonly calibrate?: true | string | undefined;
}
/** Options of `hmatrix plan`. */
export interface PlanCommandOptions extends Omit<PlanOptions, 'rank' | 'speeds'> {
  readonly json?: boolean | undefined;
  readonly rank?: number | undefined;
  readonly from?: string | undefined;
  readonly latency: number;
  readonly bandwidth: number;
  readonly gemm: number;
  readonly memoryBandwidth: number;
}
/** What each command does; resolves to the exit status. */
export interface Handlers {
  compress(options: CompressCommandOptions): Promise<number>;
  multiply(file: string, options: MultiplyOptions): Promise<number>;
  plot(file: string, options: PlotCommandOptions): Promise<number>;
  report(files: readonly string[], options: ReportCommandOptions): Promise<number>;
  info(file: string, options: CommonOptions): Promise<number>;
  doctor(options: DoctorOptions): Promise<number>;
  plan(options: PlanCommandOptions): Promise<number>;
  table(options: TableOptions): Promise<number>;
  solve(file: string | undefined, options: SolveCommandOptions): Promise<number>;
  tune(options: TuneCommandOptions): Promise<number>;
  eigs(file: string | undefined, options: EigsCommandOptions): Promise<number>;
  sample(options: SampleCommandOptions): Promise<number>;
  factor(file: string | undefined, options: FactorCommandOptions): Promise<number>;
  logdet(file: string | undefined, options: FactorCommandOptions): Promise<number>;
  preconditioners(options: PreconditionerTableOptions): Promise<number>;
  demo(options: DemoOptions): Promise<number>;
  /** The options of both may stand in a file, which is read then. */
  train(options: () => Promise<TrainCommandOptions>): Promise<number>;
  compare(options: () => Promise<CompareCommandOptions>): Promise<number>;
}

/** A network whose Gauss–Newton matrix is taken; what is not given is at NETWORK_DEFAULTS. */
export type NetworkOptions = Partial<
  Pick<
    TableOptions,
    | 'network'
    | 'activation'
    | 'loss'
    | 'bias'
    | 'samples'
    | 'epochs'
    | 'learningRate'
    | 'batchSize'
    | 'images'
    | 'labels'
    | 'data'
    | 'targets'
    | 'target'
    | 'weights'
  >
>;
/** What a table of preconditioners takes: only what was given. */
export type PreconditionerTableOptions = Partial<TableOptions>;
/** Options that say what the matrix is: a file, points with a kernel, a name, or a network. */
export interface InputOptions extends Omit<CsvFormat, 'values'>, NetworkOptions {
  readonly quiet?: boolean | undefined;
  readonly matrix?: string | undefined;
  readonly points?: string | undefined;
  readonly named?: string | undefined;
  readonly kernel?: string | undefined;
  readonly bandwidth?: number | 'median' | undefined;
  readonly degree?: number | undefined;
  readonly alpha?: number | undefined;
  readonly period?: number | undefined;
  readonly ridge?: number | undefined;
  readonly size?: number | undefined;
  readonly limit?: number | undefined;
  /** Columns of the table of points that are no coordinates: rows are judged by them too. */
  readonly values?: readonly (string | number)[] | undefined;
  /** Those that a command works with, before `values`. */
  readonly valueColumns?: readonly (string | number)[] | undefined;
  /** What orders the indices. */
  readonly distance?: CompressOptions['distance'];
}
