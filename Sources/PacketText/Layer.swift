// SwBPF layer: PacketText.
