// SwBPF layer: Packets.
