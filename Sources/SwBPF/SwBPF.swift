// The library product: one import for those who capture from Swift.

@_exported public import SwBPFBPF
@_exported public import SwBPFFilterMachine
@_exported public import SwBPFLiveCapture
