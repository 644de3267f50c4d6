// SwBPF layer: SwBPF.
