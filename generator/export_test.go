package generator

// The bound of pages that are waited for, and what is said beyond it.
const MaxAwaited = maxAwaited

var ErrAwaited = errAwaited
