// SwBPF layer: CaptureFile.
