// SwBPF layer: Commands.
