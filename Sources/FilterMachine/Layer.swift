// SwBPF layer: FilterMachine.
