// Addresses of tests, from text.
import SwBPFPackets
import Testing

@testable import SwBPFInterfaces

func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

func innerAddress(_ text: String, _ prefix: UInt8, _ destination: String? = nil) throws -> InterfaceAddress {
  let destination = try destination.map { try ip($0) }
  return try #require(InterfaceAddress(ip(text), prefix: prefix, destination: destination))
}

func tunnelEnds(_ source: String, _ a: UInt16, _ destination: String, _ b: UInt16) throws -> TunnelEnds {
  let (source, destination) = (Endpoint(try ip(source), port: a), Endpoint(try ip(destination), port: b))
  return try #require(TunnelEnds(source: source, destination: destination))
}
