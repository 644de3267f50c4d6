// SwBPF layer: LiveCapture.
