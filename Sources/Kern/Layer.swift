// SwBPF layer: Kern.
