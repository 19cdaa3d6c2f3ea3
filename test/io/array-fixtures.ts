/** Small files that other programs wrote (or whose bytes were laid out by hand), and what they hold. */

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

/** What NumPy was given: C and Fortran order, float64, float32 and int64. */
export const savedArrays = {
  a: { shape: [2, 3], fortranOrder: false, data: Float64Array.of(0.1, -2, 3e300, 5e-324, Infinity, -0) },
  'net/b': { shape: [2, 3], fortranOrder: true, data: Float32Array.of(0, 3 / 8, 1 / 8, 4 / 8, 2 / 8, 5 / 8) },
  'c.d': { shape: [2], fortranOrder: false, data: Float64Array.of(-3, 2 ** 40) },
};

/** A perceptron 3-2-4 with tanh between: W (out, in) and b, and NumPy's W2 tanh(W1 x + b1) + b2. */
export const perceptron = {
  widths: [3, 2, 4],
  w1: [
    [1.25, 0.5, 0],
    [-1, -1, -2],
  ],
  b1: [-1.75, -2],
  w2: [
    [-1.5, 1.25],
    [0.5, 1.5],
    [0, 0.25],
    [1.75, 0.75],
  ],
  b2: [0.5, 0, 0, 1.5],
  x: [1, -2, 0.5],
  y: [0.6526879053725287, -1.8986154969361586, -0.24100689501895423, -0.807030128935379],
};

/** numpy.savez of `savedArrays`, NumPy 2.4. */
export const numpyStored = bytes(
  'UEsDBC0AAAAAAAAAIQB1XItv//////////8FABQAYS5ucHkBABAAsAAAAAAAAACwAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmOCcsIC' +
    'dmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
    'ICAgICAgICAgICAgICAgICAKmpmZmZmZuT8AAAAAAAAAwDVYAGYt61F+AQAAAAAAAAAAAAAAAADwfwAAAAAAAACAUEsDBC0AAAAAAAAAIQBYcY' +
    'ps//////////8JABQAbmV0L2IubnB5AQAQAJgAAAAAAAAAmAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRl' +
    'cic6IFRydWUsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC' +
    'AgICAgCgAAAAAAAMA+AAAAPgAAAD8AAIA+AAAgP1BLAwQtAAAAAAAAACEAjqhdFP//////////BwAUAGMuZC5ucHkBABAAkAAAAAAAAACQAAAA' +
    'AAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgIC' +
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAK/f////////8AAAAAAAEAAFBLAQItAy0AAAAAAAAAIQB1' +
    'XItvsAAAALAAAAAFAAAAAAAAAAAAAACAAQAAAABhLm5weVBLAQItAy0AAAAAAAAAIQBYcYpsmAAAAJgAAAAJAAAAAAAAAAAAAACAAecAAABuZX' +
    'QvYi5ucHlQSwECLQMtAAAAAAAAACEAjqhdFJAAAACQAAAABwAAAAAAAAAAAAAAgAG6AQAAYy5kLm5weVBLBQYAAAAAAwADAJ8AAACDAgAAAAA=',
);

/** numpy.savez_compressed of `savedArrays`, NumPy 2.4. */
export const numpyDeflated = bytes(
  'UEsDBC0AAAAIAAAAIQB1XItv//////////8FABQAYS5ucHkBABAAsAAAAAAAAABgAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6' +
    'Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDrlkzQWCnPQMEHDCNYEjTfR1Yx8iADD7UQxkNAFBLAwQtAAAACAAAACEA' +
    'WHGKbP//////////CQAUAG5ldC9iLm5weQEAEACYAAAAAAAAAFUAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1' +
    '+UkgoSDykqTQUKF2ckFqQCuRpGOgrGmjoKtQrkAy4GMDhgByRA2J6BoQFIK9gDAFBLAwQtAAAACAAAACEAjqhdFP//////////BwAUAGMuZC5u' +
    'cHkBABAAkAAAAAAAAABNAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mj' +
    'oKtQoUAK6//yGAAQQYGRgAUEsBAi0DLQAAAAgAAAAhAHVci29gAAAAsAAAAAUAAAAAAAAAAAAAAIABAAAAAGEubnB5UEsBAi0DLQAAAAgAAAAh' +
    'AFhximxVAAAAmAAAAAkAAAAAAAAAAAAAAIABlwAAAG5ldC9iLm5weVBLAQItAy0AAAAIAAAAIQCOqF0UTQAAAJAAAAAHAAAAAAAAAAAAAACAAS' +
    'cBAABjLmQubnB5UEsFBgAAAAADAAMAnwAAAK0BAAAAAA==',
);

/** numpy.savez_compressed of the perceptron under Flax's names; one kernel is in Fortran order. */
export const flaxNpz = bytes(
  'UEsDBC0AAAAIAAAAIQAxstP5//////////8ZABQAcGFyYW1zL0RlbnNlXzAva2VybmVsLm5weQEAEACYAAAAAAAAAFYAAAAAAAAAm+wX6hsQyc' +
    'hQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjoKRpo6CrUKZAMuBoYF9gwMDfsZGBhgNAgcAABQSwME' +
    'LQAAAAgAAAAhAHL2AbP//////////xcAFABwYXJhbXMvRGVuc2VfMC9iaWFzLm5weQEAEACIAAAAAAAAAE0AAAAAAAAAm+wX6hsQychQxlCtnp' +
    'JanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALgaGB/sZGBgOAABQSwMELQAAAAgAAAAhAIQSgcf/' +
    '/////////xkAFABwYXJhbXMvRGVuc2VfMS9rZXJuZWwubnB5AQAQAKAAAAAAAAAAXwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2airq' +
    'OgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CiaaOgq1CuQDLgaGA/sZGBbYMzAwAPEBEA0EDXYMDA+AbAd7AFBLAwQtAAAACAAAACEA' +
    '5aFdb///////////FwAUAHBhcmFtcy9EZW5zZV8xL2JpYXMubnB5AQAQAJAAAAAAAAAATQAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2' +
    'airqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOpo6CrUKFAAuBgYGewY4OGAPAFBLAQItAy0AAAAIAAAAIQAxstP5VgAAAJgAAAAZ' +
    'AAAAAAAAAAAAAACAAQAAAABwYXJhbXMvRGVuc2VfMC9rZXJuZWwubnB5UEsBAi0DLQAAAAgAAAAhAHL2AbNNAAAAiAAAABcAAAAAAAAAAAAAAI' +
    'ABoQAAAHBhcmFtcy9EZW5zZV8wL2JpYXMubnB5UEsBAi0DLQAAAAgAAAAhAIQSgcdfAAAAoAAAABkAAAAAAAAAAAAAAIABNwEAAHBhcmFtcy9E' +
    'ZW5zZV8xL2tlcm5lbC5ucHlQSwECLQMtAAAACAAAACEA5aFdb00AAACQAAAAFwAAAAAAAAAAAAAAgAHhAQAAcGFyYW1zL0RlbnNlXzEvYmlhcy' +
    '5ucHlQSwUGAAAAAAQABAAYAQAAdwIAAAAA',
);

/**
 * The perceptron as nn.Sequential(Linear, Tanh, Linear) inside of a module that calls it net, laid out as
 * safetensors.torch.save_file does.
 */
export const torchSafetensors = bytes(
  'KAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJuZXQuMC5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwiZG' +
    'F0YV9vZmZzZXRzIjpbMCw4XX0sIm5ldC4wLndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbOCwz' +
    'Ml19LCJuZXQuMi5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOls0XSwiZGF0YV9vZmZzZXRzIjpbMzIsNDhdfSwibmV0LjIud2VpZ2h0Ij' +
    'p7ImR0eXBlIjoiRjMyIiwic2hhcGUiOls0LDJdLCJkYXRhX29mZnNldHMiOls0OCw4MF19fSAgIAAA4L8AAADAAACgPwAAAD8AAAAAAACAvwAA' +
    'gL8AAADAAAAAPwAAAAAAAAAAAADAPwAAwL8AAKA/AAAAPwAAwD8AAAAAAACAPgAA4D8AAEA/',
);

/** F16 'h' [1.5, -65504, 2^-24, inf, -0] and BF16 'b' [[1.5, -2], [2^100, inf]]. */
export const halfSafetensors = bytes(
  'eAAAAAAAAAB7ImgiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzVdLCJkYXRhX29mZnNldHMiOlswLDEwXX0sImIiOnsiZHR5cGUiOiJCRjE2Ii' +
    'wic2hhcGUiOlsyLDJdLCJkYXRhX29mZnNldHMiOlsxMCwxOF19fSAgICAgICAAPv/7AQAAfACAwD8AwIBxgH8=',
);
