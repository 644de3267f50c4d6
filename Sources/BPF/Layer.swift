// SwBPF layer: BPF.
