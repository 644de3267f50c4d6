import Testing

@testable import SwBPFPFKey

@Suite struct AlgorithmNameTests {
  @Test("setkey's two spellings of an algorithm are one")
  func spellings() {
    #expect(EncryptionAlgorithm(name: "rijndael-cbc") == EncryptionAlgorithm(name: "aes-cbc"))
    #expect(AuthenticationAlgorithm(name: "hmac-sha256") == AuthenticationAlgorithm(name: "hmac-sha2-256"))
    #expect(EncryptionAlgorithm(name: "rot13") == nil)
  }
}
